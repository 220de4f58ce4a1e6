-- The role of the processes: it reads and writes rows, and can change no table. `ordersite` owns the tables and migrates.
-- Run by PostgreSQL's image after role.sql; by hand on a volume from before there was this role (docs/docker.md).
\set ON_ERROR_STOP on
\connect ordersite
\set password `cat "${APP_PASSWORD_FILE:-/secrets/app-password}"`
SELECT :'password' = '' AS missing \gset
\if :missing
  \echo app_role.sql: the password cannot be read
  SELECT 1 / 0;
\endif
CREATE ROLE ordersite_app LOGIN PASSWORD :'password';
GRANT pg_read_all_stats TO ordersite_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO ordersite_app;
GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public TO ordersite_app;
-- What later migrations make.
ALTER DEFAULT PRIVILEGES FOR ROLE ordersite IN SCHEMA public GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO ordersite_app;
ALTER DEFAULT PRIVILEGES FOR ROLE ordersite IN SCHEMA public GRANT USAGE, SELECT ON SEQUENCES TO ordersite_app;
