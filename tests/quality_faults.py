"""Answers with planted faults, in several languages, and the same answers without them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from mmos.quality.finding import Subject


@dataclass(frozen=True)
class Planted:
    """An answer, and the kinds of findings that are right for its fault. No kinds: it is clean."""

    name: str
    subject: Subject
    kinds: tuple[str, ...] = ()


def block(tag: str, code: str) -> str:
    return f"You can do it like this:\n\n```{tag}\n{code.strip(chr(10))}\n```\n\nIt reads the values and gives back the result.\n"


def of(kinds: tuple[str, ...], tag: str, codes: list[str]) -> Iterator[Planted]:
    for number, code in enumerate(codes, 1):
        yield Planted(f"{kinds[0] if kinds else 'clean'} {tag} {number}", Subject("", block(tag, code)), kinds)


SYNTAX: dict[str, list[str]] = {
    "python": [
        "def total(items)\n    return sum(items)",
        "def total(items):\nreturn sum(items)",
        "if x = 3:\n    print(x)",
        "values = [1, 2, 3\nprint(values)\nfor v in values:\n    print(v)",
        "def f(x):\n    return x +\n\nprint(f(1))",
        "print 'hello'\nprint 'again'",
        "try:\n    run()\nexcept ValueError, error:\n    log(error)",
        "class A:\n    def f(self):\n        pass\n   def g(self):\n        pass",
        "x = {'a': 1, 'b' 2}\nprint(x)",
        "for i in range(10) {\n    print(i);\n}",
        "def f(a, b=1, c):\n    return a",
        "name = 'it's'\nprint(name)",
        "while True\n    break",
        "return_value = lambda x: return x",
        "import os, \nprint(os.name)",
        "async def f():\n    await\n    return 1",
        "def f():\n    x == 1 ? 2 : 3\n    return x",
        "import json\n\ndef load(path):\n    with open(path) as f\n        return json.load(f)",
        "total = sum(x for x in range(10)))\nprint(total)",
        "elif_count = 0\nif True:\n    pass\nelse if False:\n    pass",
    ],
    "json": ['{"a": 1,}', "{'a': 1}", '{"a": 1 "b": 2}', '{"a": [1, 2}', '{"a": undefined}', '{a: 1, b: 2}', '[1, 2,, 3]', '{"a": True}'],
    "yaml": ["a: [1, 2\nb: 3", "a: 'text\nb: 2", "a: 1\n  b: 2\n c: 3", "key: value: other\n", "a:\n\t- 1\n\t- 2", "- a\nb: c", 'a: "x" y\n'],
    "toml": ["[a\nb = 1", "a = \nb = 2", 'a = "x\nb = 2', "a = 1\na = 2\n[b]\nc = yes", "[[a]\nb = 1"],
    "javascript": [
        "function f(a {\n  return a;\n}",
        "const x = ;\nconsole.log(x);",
        "if (a > 1 {\n  b();\n}",
        "const o = { a: 1, b: 2;\nconsole.log(o);",
        "function f() {\n  return 1;\n}}\n",
        "for (let i = 0; i < 3; i++ {\n  g(i);\n}",
        "const s = 'it's fine';\nconsole.log(s);",
    ],
    "typescript": ["interface A {\n  a: string\n  b number\n}\nconst c: A = {};", "function f(a: string: number) {\n  return a;\n}", "type X = { a: string;\nconst b: X = null;"],
    "java": ["public class A {\n    public int f() {\n        return 1\n    }\n}", "public class A {\n    void f() {\n        if (x > 1 {\n            g();\n        }\n    }\n}", "public class A {\n    int x = ;\n}"],
    "go": ["package main\n\nfunc main() {\n\tx := )\n}", "package main\n\nfunc main( {\n}\n", "package main\n\nfunc f() int {\n\tfor i := 0; i < 3; i++ \n\t\tprint(i)\n\t}\n\treturn 1\n}"],
    "c": ["int main(void) {\n    int x = 1\n    return x;\n}", "int main(void) {\n    if (x == 1 {\n        return 1;\n    }\n    return 0;\n}"],
    "rust": ["fn main() {\n    let x = 1\n    println!(\"{}\", x);\n}", "fn f(x: i32 -> i32 {\n    x\n}"],
    "php": ["<?php\n$a = 1\n$b = 2;\necho $a;", "<?php\nfunction f($x {\n    return $x;\n}"],
    "ruby": ["def f(x\n  x + 1\nend\n", "class A\n  def f\n    1\n  end\nend\nend"],
    "bash": ["if [ -f x ]; then\n  echo yes\n", "for f in *.txt; do\n  echo $f\nfi", 'echo "hello\nls'],
}  # fmt: skip

INJECTION: dict[str, list[str]] = {
    "python": [
        'def find(cursor, name):\n    cursor.execute(f"SELECT * FROM users WHERE name = \'{name}\'")\n    return cursor.fetchall()',
        'def find(cursor, name):\n    cursor.execute("SELECT * FROM users WHERE name = \'" + name + "\'")\n    return cursor.fetchone()',
        'def find(db, user_id):\n    query = "SELECT * FROM users WHERE id = %s" % user_id\n    return db.execute(query)',
        'def find(db, email):\n    sql = "SELECT id FROM users WHERE email = \'{}\'".format(email)\n    return db.execute(sql).fetchone()',
        'user = input("Name: ")\nconn.execute("DELETE FROM users WHERE name = \'" + user + "\'")',
        'def add(cur, title, body):\n    cur.execute(f"INSERT INTO posts VALUES (\'{title}\', \'{body}\')")',
        '@app.route("/u/<name>")\ndef user(name):\n    rows = db.session.execute(f"SELECT * FROM u WHERE n = \'{name}\'")\n    return str(rows)',
        'def rename(db, table, old):\n    db.execute("UPDATE " + table + " SET name = \'" + old + "\'")',
        'def search(term):\n    q = "SELECT * FROM items"\n    q += " WHERE title LIKE \'%" + term + "%\'"\n    return db.execute(q)',
        'def drop(cursor, table):\n    cursor.execute(f"DROP TABLE {table}")',
        'users = User.objects.raw("SELECT * FROM auth_user WHERE username = \'%s\'" % request.GET["u"])',
        'import os\n\ndef ping(host):\n    os.system("ping -c 1 " + host)',
        'import os\n\ndef ping(host):\n    os.system(f"ping -c 1 {host}")',
        'import subprocess\n\ndef archive(folder):\n    subprocess.run(f"tar czf out.tgz {folder}", shell=True, check=True)',
        'import subprocess\n\nname = input("File: ")\nsubprocess.call("cat " + name, shell=True)',
        'import subprocess\n\ndef run(cmd):\n    return subprocess.check_output(cmd, shell=True)',
        'import os\n\ndef listing(path):\n    return os.popen("ls %s" % path).read()',
        'import subprocess\n\ndef look(domain):\n    subprocess.Popen("nslookup {}".format(domain), shell=True)',
        'import subprocess\n\ndef go(host):\n    subprocess.run(["sh", "-c", f"ping {host}"])',
        'from flask import request, render_template_string\n\n@app.route("/hi")\ndef hi():\n    name = request.args.get("name")\n    return render_template_string(f"<h1>Hi {name}</h1>")',
        'from flask import request\n\n@app.route("/hi")\ndef hi():\n    name = request.args.get("name", "")\n    return f"<h1>Hi {name}</h1>"',
        'from django.utils.safestring import mark_safe\n\ndef show(request):\n    return mark_safe("<b>" + request.GET["q"] + "</b>")',
        'from flask import request\n\n@app.route("/hi")\ndef hi():\n    return "<p>" + request.args["q"] + "</p>"',
    ],
    "javascript": [
        "app.get('/u', (req, res) => {\n  db.query(`SELECT * FROM users WHERE id = ${req.query.id}`, (err, rows) => res.json(rows));\n});",
        "function find(name) {\n  return db.query(\"SELECT * FROM users WHERE name = '\" + name + \"'\");\n}",
        "const { exec } = require('child_process');\nfunction ping(host) {\n  exec(`ping -c 1 ${host}`, (e, out) => console.log(out));\n}",
        "const cp = require('child_process');\nfunction ls(dir) {\n  return cp.execSync('ls ' + dir).toString();\n}",
        "function show(message) {\n  document.getElementById('out').innerHTML = '<b>' + message + '</b>';\n}",
        "const name = new URLSearchParams(location.search).get('name');\ndocument.getElementById('hi').innerHTML = name;",
        "document.write('<p>' + location.hash + '</p>');",
        "app.get('/hi', (req, res) => {\n  res.send('<h1>Hi ' + req.query.name + '</h1>');\n});",
        "function C({ html }) {\n  return <div dangerouslySetInnerHTML={{ __html: html }} />;\n}",
        "app.post('/login', async (req, res) => {\n  const user = await users.findOne(req.body);\n  res.json(user);\n});",
    ],
    "php": [
        "<?php\n$id = $_GET['id'];\n$r = mysqli_query($c, \"SELECT * FROM users WHERE id = $id\");",
        "<?php\n$r = $db->query(\"SELECT * FROM users WHERE name = '\" . $_POST['name'] . \"'\");",
        "<?php\nsystem('ping -c 1 ' . $_GET['host']);",
        "<?php\necho '<h1>' . $_GET['name'] . '</h1>';",
        "<?php\n$cmd = $_POST['cmd'];\n$out = shell_exec($cmd);",
    ],
    "java": [
        "public User find(String name) throws SQLException {\n    Statement s = c.createStatement();\n    ResultSet r = s.executeQuery(\"SELECT * FROM users WHERE name = '\" + name + \"'\");\n    return map(r);\n}",
        "String query = \"SELECT * FROM users WHERE id = \" + request.getParameter(\"id\");\nResultSet r = statement.executeQuery(query);",
        "public void ping(String host) throws IOException {\n    Runtime.getRuntime().exec(\"ping \" + host);\n}",
    ],
    "go": [
        "func find(db *sql.DB, name string) (*sql.Rows, error) {\n\tq := fmt.Sprintf(\"SELECT * FROM users WHERE name = '%s'\", name)\n\treturn db.Query(q)\n}",
        "func find(db *sql.DB, id string) (*sql.Rows, error) {\n\treturn db.Query(\"SELECT * FROM users WHERE id = \" + id)\n}",
        "func run(w http.ResponseWriter, r *http.Request) {\n\tout, _ := exec.Command(\"sh\", \"-c\", r.URL.Query().Get(\"cmd\")).Output()\n\tw.Write(out)\n}",
    ],
    "ruby": ["def find(name)\n  User.where(\"name = '#{name}'\")\nend", "def ping(host)\n  system(\"ping -c 1 #{host}\")\nend", "def ls(dir)\n  `ls #{dir}`\nend"],
    "csharp": [
        "var cmd = new SqlCommand(\"SELECT * FROM Users WHERE Name = '\" + name + \"'\", conn);\nvar r = cmd.ExecuteReader();",
        "var cmd = new SqlCommand($\"SELECT * FROM Users WHERE Id = {id}\", conn);\nvar r = cmd.ExecuteReader();",
    ],
    "rust": ["fn find(c: &Connection, name: &str) -> Result<usize> {\n    let sql = format!(\"DELETE FROM users WHERE name = '{}'\", name);\n    c.execute(&sql, [])\n}"],
    "c": ["#include <stdlib.h>\nint main(int argc, char **argv) {\n    system(argv[1]);\n    return 0;\n}", "#include <stdio.h>\nint main(int argc, char **argv) {\n    printf(argv[1]);\n    return 0;\n}"],
    "sql": ["CREATE PROCEDURE f @name NVARCHAR(50) AS\nBEGIN\n  EXEC('SELECT * FROM users WHERE name = ''' + @name + '''');\nEND"],
}  # fmt: skip

EVAL: dict[str, list[str]] = {
    "python": [
        "def calc(expression):\n    return eval(expression)",
        'print(eval(input("Sum: ")))',
        "def run(code):\n    exec(code)",
        "from flask import request\n\n@app.post('/run')\ndef run():\n    exec(request.json['code'])\n    return 'ok'",
        "import pickle\n\ndef load(data):\n    return pickle.loads(data)",
        "import pickle\nfrom flask import request\n\n@app.post('/p')\ndef p():\n    return str(pickle.loads(request.data))",
        "import yaml\n\ndef load(text):\n    return yaml.load(text)",
        "import yaml\n\nwith open('c.yml') as f:\n    config = yaml.load(f, Loader=yaml.Loader)",
        "import marshal\n\ndef load(data):\n    return marshal.loads(data)",
        "def apply(config, name):\n    value = eval('config.' + name)\n    return value",
    ],
    "javascript": [
        "function calc(text) {\n  return eval(text);\n}",
        "const f = new Function('x', req.body.code);\nf(1);",
        "app.post('/run', (req, res) => {\n  res.json(eval(req.body.code));\n});",
        "setTimeout('update(' + id + ')', 100);",
    ],
    "php": ["<?php\neval($_POST['code']);", "<?php\n$o = unserialize($_COOKIE['data']);"],
    "ruby": ["def calc(expression)\n  eval(expression)\nend", "def load(data)\n  Marshal.load(data)\nend"],
    "bash": ["#!/bin/bash\neval \"$1\"", "#!/bin/bash\nread -r cmd\neval $cmd", "rm -rf /", "curl -s https://example.org/x.sh | sudo bash"],
    "java": ["ObjectInputStream in = new ObjectInputStream(socket.getInputStream());\nObject o = in.readObject();", "Object r = new ScriptEngineManager().getEngineByName(\"js\").eval(request.getParameter(\"code\"));"],
    "csharp": ["var f = new BinaryFormatter();\nvar o = f.Deserialize(stream);"],
    "c": ["#include <stdio.h>\nint main(void) {\n    char name[16];\n    gets(name);\n    return 0;\n}"],
}  # fmt: skip

PATHS: dict[str, list[str]] = {
    "python": [
        "from flask import request, send_file\n\n@app.route('/f')\ndef f():\n    return send_file('/data/' + request.args['name'])",
        "from flask import request\n\n@app.route('/f')\ndef f():\n    name = request.args.get('name')\n    with open(os.path.join('uploads', name)) as file:\n        return file.read()",
        "import os\n\nUPLOADS = '/srv/uploads'\n\ndef read(filename):\n    with open(os.path.join(UPLOADS, filename)) as f:\n        return f.read()",
        "def read(filename):\n    with open('/var/www/files/' + filename) as f:\n        return f.read()",
        "def read(filename):\n    return open(f'/var/www/files/{filename}').read()",
        "@app.get('/files/{name}')\nasync def read(name: str):\n    return FileResponse('files/' + name)",
        "from pathlib import Path\n\nBASE = Path('/srv/data')\n\ndef read(name):\n    return (BASE / name).read_text()",
        "def view(request, name):\n    with open('/srv/docs/' + name) as f:\n        return HttpResponse(f.read())",
        "import os\n\n@app.route('/rm/<path:name>')\ndef remove(name):\n    os.remove(os.path.join('data', name))\n    return 'ok'",
        "import tarfile\n\ndef unpack(path, target):\n    with tarfile.open(path) as tar:\n        tar.extractall(target)",
    ],
    "javascript": [
        "app.get('/f', (req, res) => {\n  res.sendFile('/data/' + req.query.name);\n});",
        "app.get('/f/:name', (req, res) => {\n  const file = path.join(__dirname, 'files', req.params.name);\n  fs.readFile(file, (e, d) => res.end(d));\n});",
        "http.createServer((req, res) => {\n  fs.createReadStream('./public' + req.url).pipe(res);\n});",
    ],
    "php": ["<?php\ninclude($_GET['page'] . '.php');", "<?php\n$f = $_GET['file'];\necho file_get_contents('docs/' . $f);"],
    "java": ["String name = request.getParameter(\"file\");\nFile f = new File(\"/data/\" + name);\nreturn Files.readAllBytes(f.toPath());"],
    "go": ["func get(w http.ResponseWriter, r *http.Request) {\n\tname := r.URL.Query().Get(\"name\")\n\tdata, _ := os.ReadFile(\"/data/\" + name)\n\tw.Write(data)\n}"],
    "ruby": ["def show\n  send_file \"/data/#{params[:name]}\"\nend"],
    "csharp": ["public IActionResult Get() {\n    var name = Request.Query[\"name\"];\n    return Content(File.ReadAllText(\"/data/\" + name));\n}"],
}  # fmt: skip

KEY = "".join(("AK", "IA", "Z7QK3NVB2MXW5TRE"))
SECRETS: dict[str, list[str]] = {
    "python": [
        f'client = boto3.client("s3", aws_access_key_id="{KEY}")',
        'password = "Tr0ub4dor&3"\nconnect("db", password)',
        'API_KEY = "9f8e7d6c5b4a39281706f5e4d3c2b1a0"',
        'SECRET_KEY = "d8#kL2$pQ9!vXz7@mN4^wR1&"',
        'token = "ghp_' + "a8Kd02LsmQ94jTzXc7VbN1yRw6Ee5Uu3Pp9O" + '"',
        'engine = create_engine("postgresql://admin:S3cur3Pa55@db.internal:5432/app")',
        'openai.api_key = "sk-' + "Q9f2LmX7cV4bN8kJ1hG6dS3aP0oI5uY2tR" + '"',
        'config = {"user": "root", "password": "hunter2!x"}',
        'requests.get(url, headers={"Authorization": "Bearer eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U"})',
        'db = psycopg2.connect(host="db", user="app", password="kX93mslQ")',
    ],
    "javascript": ["const stripe = require('stripe')('sk_live_" + "4eC39HqLyjWDarjtT1zdp7dc" + "');", "const apiKey = 'AIza" + "SyD-9tSrke72PouQMnMX-a7eZSW0jkFMBWY" + "';", "const dbPassword = 'S3cr3tP4ss!';"],
    "yaml": ["db:\n  user: app\n  password: kX93!mslQ7", "env:\n  - name: TOKEN\n    value: xoxb-" + "123456789012-abcdefGHIJKLmnop", "aws_secret_access_key: wJalrXUtnFEMIK7MDENGbPxRfiCYzz3kLm9QpVtW"],
    "bash": ["export DB_PASSWORD=Zx81kkPq77\n./run", "curl -u admin:Pq77kkZx81 https://api.internal/v1"],
    "dockerfile": ["FROM python:3.12\nENV API_KEY=a8Kd02LsmQ94jTzXc7VbN1yRw6\nCMD [\"python\", \"app.py\"]"],
    "java": ['private static final String PASSWORD = "Zx81kkPq77";'],
    "go": ['const apiToken = "glpat-' + "x9Kd02LsmQ94jTzXc7Vb" + '"'],
    "text": ["-----BEGIN RSA PRIVATE KEY-----\nMIIEowIBAAKCAQEAz7Qk3nVb2MxW5tRe8YuI1oPaSdFgHjKlZxCvBnM0qWeRtYui\nopAs9Df2Gh4Jk6Lz8Xc1Vb3Nm5Qw7Er\n-----END RSA PRIVATE KEY-----"],
    "php": ["<?php\n$db_password = 'Zx81!kkPq77';\n$c = new PDO($dsn, 'app', $db_password);"],
}  # fmt: skip

NAMES: dict[str, list[str]] = {
    "python": [
        "import os\n\nprint(os.path.joinn('a', 'b'))",
        "import json\n\ndata = json.parse(text)",
        "from collections import OrderedDictionary\n\nd = OrderedDictionary()",
        "import superfastjson\n\nsuperfastjson.load(f)",
        "from datetime import timespan\n\nprint(timespan(days=1))",
        "import math\n\nprint(math.average([1, 2]))",
        "import os.pathutils\n\nos.pathutils.walk('.')",
        "from flask_ultracache import Cache\n\ncache = Cache()",
        "import random\n\nprint(random.pick([1, 2]))",
        "import datetime\n\nprint(datetime.datetime.current())",
        "from itertools import chunked_windows\n\nprint(list(chunked_windows([1], 2)))",
        "import asyncio\n\nasyncio.run_forever(main())",
        "import pyneuralfast as pnf\n\nmodel = pnf.Model()",
        "items = []\nitems.push(1)",
        "import string\n\nprint(string.isnumeric('1'))",
        "import stringutils.fuzzy as f\n\nprint(f.match('a', 'b'))",
        "from typing import Integer\n\ndef f(x: Integer) -> None: ...",
        "import hashlib\n\nprint(hashlib.sha257(b'x').hexdigest())",
    ],
    "javascript": ["const fs = require('fs');\nfs.readFileAsyncSync('a');", "import { magic } from 'react-ultra-magic-hooks-pro';\nmagic();", "const o = JSON.stringfy({ a: 1 });"],
    "go": ['package main\n\nimport "stringsutil"\n\nfunc main() { stringsutil.Do() }', 'package main\n\nimport "strings"\n\nfunc main() { println(strings.ContainsWord("a", "b")) }'],
    "java": ["import java.util.ArrayLists;\n\npublic class A {}"],
}  # fmt: skip

WHOLE = """To read a file in Python, open it with a context manager. The file is closed when the block ends.

1. Open the file with the right encoding.
2. Read its lines, and strip each.
3. Give the list back to the caller.

```python
def read(path):
    with open(path, encoding="utf-8") as lines:
        return [line.strip() for line in lines]
```

The function gives a list of texts. It raises an error if the file does not exist, so callers should be ready for this.
"""


def truncated() -> Iterator[Planted]:
    """A whole answer, cut at many places."""
    ends = [
        "open it with a context manager. The file is closed when",
        "1. Open the file with the right encoding.\n2. Read its lines, and strip each.\n3. Give the list back to",
        "1. Open the file with the right encoding.\n2. Read its lines, and strip each.\n3.",
        "```python\ndef read(path):",
        "```python\ndef read(path):\n    with open(path, enc",
        "        return [line.strip() for line in lines]\n",
        "The function gives a list of texts. It raises an error if the file does not exist, so",
        "The function gives a list of texts. It raises an error if the file does not ex",
        "raises an error if the file does not exist,",
        "1. Open the file with the right encoding.\n2. Read its li",
    ]
    for number, end in enumerate(ends, 1):
        yield Planted(f"truncated {number}", Subject("", WHOLE[: WHOLE.index(end) + len(end)]), ("truncated",))
    more = [
        "There are three reasons for this:\n\n1. It is fast.\n2. It is small.\n",
        "| a | b |\n|---|---|\n| 1 | 2 |\n| 3 |",
        "Use a lock around the counter. Threads then wait for each other. An example:",
        "Use a lock around the counter.\n\n## Example\n",
        "Call `lock.acquire()` before the change, and after it call `lock.rel",
        "The call takes a list (such as the one that `read` gives. Then it is sorted (by name",
        '```json\n{\n  "a": 1,\n  "b": [1, 2\n```\n',
        "```js\nfunction f(a) {\n  if (a) {\n    return 1;\n```\n",
        "import os\n\ndef walk(folder):\n    for name in os.listdir(folder):\n        print(name)\n\ndef count(folder):\n    return len(\n",
        "The answer is long. I write it in parts. (to be continued)",
    ]
    for number, answer in enumerate(more, 11):
        yield Planted(f"truncated {number}", Subject("", answer), ("truncated",))


def planted() -> list[Planted]:
    kinds: list[tuple[dict[str, list[str]], tuple[str, ...]]] = [
        (SYNTAX, ("syntax", "truncated")),
        (INJECTION, ("injection",)),
        (EVAL, ("dangerous_call", "injection")),
        (PATHS, ("path_traversal",)),
        (SECRETS, ("secret",)),
        (NAMES, ("unknown_name",)),
    ]
    made = [case for codes, right in kinds for tag, rows in codes.items() for case in of(right, tag, rows)]
    return [*made, *truncated()]
