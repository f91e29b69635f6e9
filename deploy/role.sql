-- The provider's own role: no superuser, so that row-level security holds for it.
CREATE ROLE latchkey LOGIN PASSWORD 'latchkey';
CREATE DATABASE latchkey OWNER latchkey;
