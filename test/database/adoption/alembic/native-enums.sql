-- `alembic upgrade head --sql`, Alembic 1.20 with SQLAlchemy 2.1.
-- sa.Integer with index=True, sa.Enum (its names, as SQLAlchemy stores them), sa.JSON, onupdate without a server default.

BEGIN;

CREATE TABLE alembic_version (
    version_num VARCHAR(32) NOT NULL, 
    CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);

-- Running upgrade  -> 3f2a9c1d7b40

CREATE TYPE userrole AS ENUM ('USER', 'ADMIN');

CREATE TYPE storagemode AS ENUM ('LOCAL', 'ACCOUNT');

CREATE TABLE users (
    id SERIAL NOT NULL, 
    email VARCHAR NOT NULL, 
    name VARCHAR, 
    role userrole NOT NULL, 
    preferences JSON, 
    storage_mode storagemode NOT NULL, 
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now(), 
    updated_at TIMESTAMP WITH TIME ZONE, 
    PRIMARY KEY (id)
);

CREATE UNIQUE INDEX ix_users_email ON users (email);

CREATE INDEX ix_users_id ON users (id);

CREATE TABLE items (
    id SERIAL NOT NULL, 
    title VARCHAR NOT NULL, 
    owner_id INTEGER, 
    PRIMARY KEY (id), 
    FOREIGN KEY(owner_id) REFERENCES users (id)
);

CREATE INDEX ix_items_owner_id ON items (owner_id);

INSERT INTO alembic_version (version_num) VALUES ('3f2a9c1d7b40') RETURNING alembic_version.version_num;

COMMIT;
