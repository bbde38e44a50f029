-- The same work as one reserve and one deduct, on PostgreSQL with row locks: four budgets on the
-- path of a key, taken leaf first so that nobody deadlocks, each only where it fits. Each of the two
-- transactions is sent as one pipeline, so that no lock waits for a round trip to the client.
\set key random(1, 100)
\set usr (:key - 1) / 5 + 1
\set dep (:usr - 1) / 4 + 1
\set reservation random(1, 9000000000000000)
\startpipeline
BEGIN;
INSERT INTO reservations (id, key, amount) VALUES (:reservation, :key, 100000);
UPDATE budgets SET held = held + 100000 WHERE id = :key AND kind = 'key' AND used + held + 100000 <= amount RETURNING amount - used - held;
UPDATE budgets SET held = held + 100000 WHERE id = :usr AND kind = 'usr' AND used + held + 100000 <= amount RETURNING amount - used - held;
UPDATE budgets SET held = held + 100000 WHERE id = :dep AND kind = 'dep' AND used + held + 100000 <= amount RETURNING amount - used - held;
UPDATE budgets SET held = held + 100000 WHERE id = 1 AND kind = 'org' AND used + held + 100000 <= amount RETURNING amount - used - held;
COMMIT;
\endpipeline
\startpipeline
BEGIN;
UPDATE reservations SET state = 'committed', charged = 50000 WHERE id = :reservation AND state = 'held' RETURNING amount;
UPDATE budgets SET held = held - 100000, used = used + 50000 WHERE id = :key AND kind = 'key' RETURNING used;
UPDATE budgets SET held = held - 100000, used = used + 50000 WHERE id = :usr AND kind = 'usr' RETURNING used;
UPDATE budgets SET held = held - 100000, used = used + 50000 WHERE id = :dep AND kind = 'dep' RETURNING used;
UPDATE budgets SET held = held - 100000, used = used + 50000 WHERE id = 1 AND kind = 'org' RETURNING used;
COMMIT;
\endpipeline
