// Values as JSON under keys that expire; the members of a grant in a set, to be revoked together.
import Redis from 'ioredis';

const GRANTABLE = new Set(['AccessToken', 'AuthorizationCode', 'RefreshToken']);
const CONSUMABLE = new Set(['AuthorizationCode', 'RefreshToken']);

export function redisAdapter(url) {
  const redis = new Redis(url, { keyPrefix: 'oidc:' });

  return class RedisAdapter {
    constructor(model) {
      this.model = model;
    }

    key(id) {
      return `${this.model}:${id}`;
    }

    async find(id) {
      const key = this.key(id);
      if (!CONSUMABLE.has(this.model)) {
        const text = await redis.get(key);
        return text ? JSON.parse(text) : undefined;
      }
      const { payload, ...rest } = await redis.hgetall(key);
      return payload ? { ...rest, ...JSON.parse(payload) } : undefined;
    }

    async findByUid(uid) {
      return this.find(await redis.get(`uid:${uid}`));
    }

    async findByUserCode() {
      return undefined;
    }

    async upsert(id, payload, expiresIn) {
      const key = this.key(id);
      const text = JSON.stringify(payload);
      const multi = redis.multi();
      if (CONSUMABLE.has(this.model)) multi.hset(key, 'payload', text).expire(key, expiresIn);
      else multi.set(key, text, 'EX', expiresIn);
      if (GRANTABLE.has(this.model) && payload.grantId) {
        multi.sadd(`grant:${payload.grantId}`, key).expire(`grant:${payload.grantId}`, expiresIn);
      }
      if (payload.uid) multi.set(`uid:${payload.uid}`, id, 'EX', expiresIn);
      await multi.exec();
    }

    async consume(id) {
      await redis.hset(this.key(id), 'consumed', Math.floor(Date.now() / 1000));
    }

    async destroy(id) {
      await redis.del(this.key(id));
    }

    async revokeByGrantId(grantId) {
      const keys = await redis.smembers(`grant:${grantId}`);
      await redis.del(`grant:${grantId}`, ...keys);
    }
  };
}
