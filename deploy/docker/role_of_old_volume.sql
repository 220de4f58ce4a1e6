-- Run once by hand on a volume whose only role, ordersite, is PostgreSQL's superuser (docs/docker.md): that role becomes
-- postgres, and an ordinary role ordersite with the same password owns the database.
\set ON_ERROR_STOP on
CREATE ROLE renaming SUPERUSER LOGIN;  -- a role cannot rename itself
\connect - renaming
ALTER ROLE ordersite RENAME TO postgres;
\connect - postgres
DROP ROLE renaming;

BEGIN;
SELECT rolpassword AS password FROM pg_authid WHERE rolname = 'postgres' \gset
CREATE ROLE ordersite LOGIN PASSWORD :'password';
GRANT pg_read_all_stats TO ordersite;
ALTER DATABASE ordersite OWNER TO ordersite;
-- Tables and the like; a sequence that belongs to a column follows its table.
SELECT format('ALTER TABLE %s OWNER TO ordersite', oid::regclass) FROM pg_class
WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p', 'v', 'm', 'S')
  AND NOT EXISTS (
    SELECT 1 FROM pg_depend WHERE classid = 'pg_class'::regclass AND objid = pg_class.oid AND deptype IN ('a', 'i', 'e')
  )
\gexec
SELECT format('ALTER ROUTINE %s OWNER TO ordersite', oid::regprocedure) FROM pg_proc
WHERE pronamespace = 'public'::regnamespace
\gexec
ALTER ROLE postgres PASSWORD NULL;
COMMIT;
