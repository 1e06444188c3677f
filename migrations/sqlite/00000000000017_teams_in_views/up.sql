-- Nothing is to be done here: SQLite has no such join that it leaves out where nobody asks for it.
SELECT 1;
