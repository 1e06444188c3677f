-- Nothing is to be done here: SQLite reads the minutes of a row once for all of its columns.
SELECT 1;
