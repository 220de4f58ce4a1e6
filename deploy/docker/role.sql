-- Run once by PostgreSQL's image, as its superuser, when it makes a new volume: an ordinary role that owns the database
-- and migrates. app_role.sql, which is run next, makes that of the processes.
-- The superuser keeps no password, so that it can sign in by the container's own socket only (docs/docker.md).
\getenv password POSTGRES_PASSWORD
CREATE ROLE ordersite LOGIN PASSWORD :'password';
GRANT pg_read_all_stats TO ordersite;  -- a backup's snapshot, which slows the queue, is another role's
CREATE DATABASE ordersite OWNER ordersite;
ALTER ROLE CURRENT_USER PASSWORD NULL;
