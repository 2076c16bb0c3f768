# SPDX-License-Identifier: MIT
# A shop in SQL, always the same: tables, rows, indices, then what a shop asks its database, first some
# large questions, then thousands of small ones. awk -f sqlite3.awk | sqlite3 shop.db
function random(n) { # Park and Miller's generator, exact in a double
	seed = (seed * 16807) % 2147483647
	return seed % n
}

function word(    w, i) {
	w = ""
	for (i = random(8) + 3; i > 0; i--)
		w = w substr("aeioubdfgklmnprstvz", random(19) + 1, 1)
	return w
}

function text(n,    t) {
	for (t = word(); n > 1; n--)
		t = t " " word()
	return t
}

function price() {
	return random(200) "." random(10) random(10)
}

function tables() {
	print "PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF; PRAGMA foreign_keys = ON;"
	print "CREATE TABLE customer(id INTEGER PRIMARY KEY, name TEXT NOT NULL, town TEXT, note TEXT);"
	print "CREATE TABLE article(id INTEGER PRIMARY KEY, name TEXT NOT NULL, price REAL, about TEXT);"
	print "CREATE TABLE orders(id INTEGER PRIMARY KEY, customer REFERENCES customer,"
	print " day TEXT, paid INT);"
	print "CREATE TABLE line(orders REFERENCES orders, article REFERENCES article, n INT, price REAL);"
	print "CREATE VIRTUAL TABLE words USING fts5(about, content = article, content_rowid = id);"
}

function rows(    i, n) {
	print "BEGIN;"
	for (i = 1; i <= customers; i++)
		printf "INSERT INTO customer VALUES(%d, '%s', '%s', '%s');\n", i, text(2), word(),
			text(random(20) + 1)
	for (i = 1; i <= articles; i++)
		printf "INSERT INTO article VALUES(%d, '%s', %s, '%s');\n", i, text(2), price(),
			text(random(60) + 10)
	print "INSERT INTO words(words) VALUES('rebuild');"
	print "COMMIT;"
	for (i = 1; i <= orders; i++) {
		if (i % 50 == 1)
			print "BEGIN;"
		printf "INSERT INTO orders VALUES(%d, %d, date('2024-01-01', '+%d days'), %d);\n", i,
			random(customers) + 1, random(366), (random(10) > 0)
		printf "INSERT INTO line VALUES"
		for (n = random(5) + 1; n > 0; n--)
			printf "(%d, %d, %d, %s)%s", i, random(articles) + 1, random(4) + 1, price(),
				(n > 1 ? ", " : ";\n")
		if (i % 50 == 0)
			print "COMMIT;"
	}
	print "CREATE INDEX by_customer ON orders(customer, day);"
	print "CREATE INDEX by_order ON line(orders);"
	print "CREATE INDEX by_article ON line(article, n);"
	print "ANALYZE;"
}

function large_questions() {
	print "SELECT town, count(*), sum(n * line.price) AS total FROM customer"
	print " JOIN orders ON customer = customer.id JOIN line ON orders = orders.id"
	print " GROUP BY town ORDER BY total DESC LIMIT 20;"
	print "SELECT strftime('%m', day) AS month, count(DISTINCT customer), round(avg(n), 3)"
	print " FROM orders JOIN line ON orders = orders.id GROUP BY month HAVING count(*) > 10 ORDER BY 1;"
	print "SELECT name, total, rank() OVER (ORDER BY total DESC) FROM (SELECT article.name,"
	print " sum(n) AS total FROM article JOIN line ON article = article.id GROUP BY article.id) LIMIT 50;"
	print "WITH RECURSIVE days(day) AS (SELECT '2024-01-01' UNION ALL"
	print " SELECT date(day, '+1 day') FROM days WHERE day < '2024-12-31')"
	print " SELECT days.day, count(orders.id) FROM days LEFT JOIN orders ON orders.day = days.day"
	print " GROUP BY days.day;"
	print "SELECT json_group_array(json_object('id', id, 'name', name, 'town', town)) FROM customer"
	print " WHERE id % 10 = 0;"
	print "SELECT group_concat(name, ', ') FROM (SELECT DISTINCT name FROM customer"
	print " ORDER BY length(name), name);"
	print "SELECT a.id, b.id FROM orders a JOIN orders b ON a.customer = b.customer AND a.id < b.id"
	print " WHERE a.day = b.day ORDER BY 1, 2;"
}

function small_question(    kind) {
	kind = random(20)
	if (kind < 8)
		printf "SELECT id, name, price FROM article WHERE id = %d;\n", random(articles) + 1
	else if (kind < 12)
		printf "SELECT o.id, o.day, sum(l.n * l.price) FROM orders o JOIN line l ON l.orders = o.id" \
			" WHERE o.customer = %d GROUP BY o.id ORDER BY o.day DESC LIMIT 5;\n",
			random(customers) + 1
	else if (kind < 14)
		printf "SELECT name, snippet(words, 0, '[', ']', '...', 8) FROM words JOIN article" \
			" ON article.id = words.rowid WHERE words MATCH '%s OR %s*' ORDER BY rank LIMIT 3;\n",
			word(), substr(word(), 1, 2)
	else if (kind < 16)
		printf "SELECT name, town FROM customer WHERE town LIKE '%s%%' ORDER BY name LIMIT 10;\n",
			substr(word(), 1, 2)
	else if (kind < 18)
		printf "UPDATE orders SET paid = 1 - paid WHERE id = %d;\n", random(orders) + 1
	else if (kind < 19)
		printf "UPDATE customer SET note = note || ' %s' WHERE id = %d;\n", text(5),
			random(customers) + 1
	else
		printf "INSERT INTO orders(customer, day, paid)" \
			" VALUES(%d, date('2025-01-01', '+%d days'), 0);\n", random(customers) + 1, random(31)
}

BEGIN {
	seed = 20240229
	customers = 1000
	articles = 500
	orders = 4000
	tables()
	rows()
	large_questions()
	for (i = 0; i < 4000; i++)
		small_question()
	print "DELETE FROM line WHERE orders IN (SELECT id FROM orders WHERE paid = 0);"
	print "PRAGMA integrity_check;"
	print "VACUUM;"
}
