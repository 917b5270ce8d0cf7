-- At most 100 excess privileges of each check, with the total of the check.
SELECT finding, privilege, through, remediation, total
FROM (
  SELECT f.*, (count(*) OVER (PARTITION BY finding))::int AS total,
         row_number() OVER (PARTITION BY finding ORDER BY privilege) AS nth
  FROM (SELECT DISTINCT * FROM found) f
) listed
WHERE nth <= 100
ORDER BY finding, privilege
