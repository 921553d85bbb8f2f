-- `alembic upgrade head --sql`, Alembic 1.20 with SQLAlchemy 2.1.
-- sa.Identity(always=True), CITEXT, sa.Text for the choices, two columns of the service itself.

BEGIN;

CREATE TABLE alembic_version (
    version_num VARCHAR(32) NOT NULL, 
    CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);

-- Running upgrade  -> 3f2a9c1d7b40

CREATE TABLE users (
    id INTEGER GENERATED ALWAYS AS IDENTITY, 
    email CITEXT NOT NULL, 
    name TEXT, 
    role TEXT, 
    preferences JSON, 
    storage_mode TEXT, 
    created_at TIMESTAMP WITHOUT TIME ZONE NOT NULL, 
    updated_at TIMESTAMP WITHOUT TIME ZONE, 
    avatar_url TEXT, 
    locale VARCHAR(10) DEFAULT 'en' NOT NULL, 
    PRIMARY KEY (id), 
    UNIQUE (email)
);

CREATE UNIQUE INDEX ix_users_email_lower ON users (lower(email));

CREATE INDEX ix_users_locale ON users (locale);

INSERT INTO alembic_version (version_num) VALUES ('3f2a9c1d7b40') RETURNING alembic_version.version_num;

COMMIT;
