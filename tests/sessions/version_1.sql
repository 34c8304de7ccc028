PRAGMA application_id = 1917666132;
PRAGMA user_version = 1;
PRAGMA journal_mode = wal;
BEGIN TRANSACTION;
CREATE TABLE completions (address TEXT PRIMARY KEY, body TEXT NOT NULL) STRICT;
CREATE TABLE events (
            session TEXT NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
            seq INTEGER NOT NULL,       -- from 1 on, without gaps
            at REAL NOT NULL,
            body TEXT NOT NULL,         -- JSON of engine.events
            PRIMARY KEY (session, seq)
        ) STRICT;
INSERT INTO "events" VALUES('0123abcd',1,1.79518174798154091838e+09,'{"kind":"search_created","question":"What is 2 + 3?","gold":"5","algorithm":"mcts_star","params":{"branch":2},"seed":7,"policy":"scripted","prm":"scripted"}');
INSERT INTO "events" VALUES('0123abcd',2,1.79518174798787736893e+09,'{"kind":"iteration_started","iteration":1}');
INSERT INTO "events" VALUES('0123abcd',3,1.79518174798787736893e+09,'{"kind":"expanded","node":0,"status":"expanded","children":[{"id":1,"step":"2 + 3 = 5\n","slot":0,"attempt":0,"tokens":0,"logprob":null},{"id":2,"step":"2 + 3 = 6\n","slot":0,"attempt":0,"tokens":0,"logprob":null}],"proposals":[],"rejected":[]}');
INSERT INTO "events" VALUES('0123abcd',4,1.79518174798787736893e+09,'{"kind":"iteration_finished","iteration":1,"cost":{"policy_forwarded":10,"policy_generated":5,"prm_forwarded":10,"seconds":0.5},"stop":"","drawn":[]}');
CREATE TABLE holders (
            session TEXT PRIMARY KEY REFERENCES sessions (id) ON DELETE CASCADE,
            pid INTEGER NOT NULL,
            host TEXT NOT NULL,
            program TEXT NOT NULL,
            since REAL NOT NULL
        ) STRICT;
CREATE TABLE judgements (address TEXT PRIMARY KEY, body TEXT NOT NULL) STRICT;
CREATE TABLE sessions (
            id TEXT PRIMARY KEY,
            name TEXT NOT NULL,
            tags TEXT NOT NULL,         -- JSON list of strings
            question TEXT NOT NULL,
            gold TEXT,
            algorithm TEXT NOT NULL,
            seed INTEGER NOT NULL,
            policy TEXT NOT NULL,
            prm TEXT NOT NULL,
            created REAL NOT NULL,      -- seconds since 1970, as are all times here
            updated REAL NOT NULL,
            events INTEGER NOT NULL,    -- length of the log; the rest sums the log up for lists
            iterations INTEGER NOT NULL,
            nodes INTEGER NOT NULL,
            answer TEXT,
            correct INTEGER
        ) STRICT;
INSERT INTO "sessions" VALUES('0123abcd','first','["kept"]','What is 2 + 3?','5','mcts_star',7,'scripted','scripted',1.79518174798154091838e+09,1.79518174798787736893e+09,4,1,3,NULL,NULL);
CREATE TABLE summaries (address TEXT PRIMARY KEY, body TEXT NOT NULL) STRICT;
CREATE TABLE valuations (address TEXT PRIMARY KEY, body TEXT NOT NULL) STRICT;
INSERT INTO "valuations" VALUES('abababababababababababababababababababababababababababababababab','{"value":0.25,"forwarded":0}');
CREATE TRIGGER events_follow_each_other BEFORE INSERT ON events
            WHEN NEW.seq != 1 + coalesce(
                (SELECT max(seq) FROM events WHERE session = NEW.session), 0)
            BEGIN SELECT RAISE(ABORT, 'events of a log are numbered without gaps'); END;
CREATE TRIGGER events_never_change BEFORE UPDATE ON events
            BEGIN SELECT RAISE(ABORT, 'a log is append-only'); END;
CREATE TRIGGER events_go_with_their_session BEFORE DELETE ON events
            WHEN EXISTS (SELECT 1 FROM sessions WHERE id = OLD.session)
            BEGIN SELECT RAISE(ABORT, 'a log is append-only'); END;
COMMIT;
