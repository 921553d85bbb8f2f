-- `alembic upgrade head --sql`, Alembic 1.20 with SQLAlchemy 2.1.
-- Rollcall's own types, under Alembic's names.

BEGIN;

CREATE TABLE alembic_version (
    version_num VARCHAR(32) NOT NULL, 
    CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);

-- Running upgrade  -> 3f2a9c1d7b40

CREATE TABLE users (
    id SERIAL NOT NULL, 
    email VARCHAR(255) NOT NULL, 
    name VARCHAR(255), 
    role VARCHAR(50) DEFAULT 'user' NOT NULL, 
    preferences JSONB, 
    storage_mode VARCHAR(10) DEFAULT 'local' NOT NULL, 
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL, 
    updated_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL, 
    PRIMARY KEY (id), 
    CONSTRAINT ck_users_storage_mode CHECK (storage_mode IN ('local', 'account'))
);

CREATE UNIQUE INDEX ix_users_email ON users (email);

INSERT INTO alembic_version (version_num) VALUES ('3f2a9c1d7b40') RETURNING alembic_version.version_num;

COMMIT;
