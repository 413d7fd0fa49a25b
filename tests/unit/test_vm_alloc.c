/*
 * The Lua machine when memory runs out: its allocator fails at the n-th
 * request, or from there on, for each n.  Nothing crashes, what was acquired is
 * released, and nothing stays on disk that was not committed.
 */
#include <dirent.h>
#include <fcntl.h>
#include <lauxlib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../../src/script/vm_internal.h"
#include "harness/test.h"
#include "moonkeep/secret.h"

struct memory {
        unsigned long count;
        unsigned long fail_at; /* 0: never */
        bool for_good;         /* all that follow fail, too */
        size_t live;
};

static bool
fails(struct memory *memory)
{
        memory->count++;
        return memory->fail_at != 0 && (memory->for_good ? memory->count >= memory->fail_at
                                                         : memory->count == memory->fail_at);
}

static void *
allocate(void *arg, void *mem, size_t old_size, size_t size)
{
        struct memory *memory = arg;

        if (mem == NULL)
                old_size = 0;
        if (size == 0) {
                memory->live -= old_size;
                free(mem);
                return NULL;
        }
        /* Lua counts on shrinking. */
        if (size > old_size && fails(memory))
                return NULL;
        void *grown = realloc(mem, size);
        if (grown != NULL)
                memory->live += size - old_size;
        return grown;
}

/* What the machine says of each failure is not for the test's output. */
static void
be_quiet(void)
{
        int fd = open("/dev/null", O_WRONLY | O_CLOEXEC);

        CHECK(fd >= 0 && dup2(fd, STDERR_FILENO) >= 0);
        close(fd);
}

static void
each_request_of_opening(bool for_good)
{
        be_quiet();
        for (unsigned long at = 1;; at++) {
                struct memory memory = { .fail_at = at, .for_good = for_good };
                struct vm vm = { .dev_dir = NULL, .alloc = allocate, .alloc_arg = &memory };
                int opened = vm_open(&vm, "task");
                unsigned long count = memory.count;
                vm_close(&vm);
                CHECK_INT(memory.live, 0);
                if (count < at) {
                        CHECK_INT(opened, 0);
                        return;
                }
        }
}

TEST(a_machine_that_cannot_be_opened_leaves_nothing)
{
        each_request_of_opening(false);
}

TEST(a_machine_whose_memory_is_gone_for_good_leaves_nothing)
{
        each_request_of_opening(true);
}

/* Files in the scratch directory. */
static unsigned
count_files(void)
{
        unsigned count = 0;
        DIR *dir = opendir(test_dir());

        CHECK(dir != NULL);
        for (const struct dirent *entry; (entry = readdir(dir)) != NULL;)
                count += entry->d_name[0] != '.' || entry->d_name[1] == 'm';
        closedir(dir);
        return count;
}

/* The modules, loaded, and a function of one argument, the scratch directory. */
#define SCRIPT(modules, body) modules "\nreturn function(dir)\n" body "\nreturn 0 end\n"

/* Run the script's function once with memory failing; true when it did fail. */
static bool
run_once(const char *script, unsigned long at, bool for_good)
{
        struct memory memory = { .fail_at = 0 };
        struct vm vm = { .alloc = allocate, .alloc_arg = &memory };

        CHECK_INT(vm_open(&vm, "task"), 0);
        CHECK_INT(luaL_loadbufferx(vm.L, script, strlen(script), "@tests/lua/alloc.lua", "t"), 0);
        CHECK_INT(lua_pcall(vm.L, 0, 1, 0), 0);
        lua_pushstring(vm.L, test_dir());
        lua_gc(vm.L, LUA_GCCOLLECT);

        memory.count = 0;
        memory.fail_at = at;
        memory.for_good = for_good;
        int status = vm_run(&vm, 1);
        bool failed = memory.count >= at && at != 0;
        if (!failed)
                CHECK_INT(status, 0);
        CHECK(vm.tasks == NULL);
        CHECK(vm.loop == NULL || loop_pending(vm.loop) == 0);
        /* What is closed with the machine, is closed without memory, too. */
        vm_close(&vm);
        CHECK_INT(memory.live, 0);
        return failed;
}

static void
each_request(const char *script, unsigned files)
{
        const char *sanitizer = getenv("SANITIZER");

        if (sanitizer != NULL && strcmp(sanitizer, "thread") == 0)
                SKIP("one thread, and thousands of machines: slow under ThreadSanitizer");
        CHECK(!run_once(script, 0, false));
        be_quiet();
        for (int for_good = 0; for_good < 2; for_good++) {
                unsigned long at = 1;
                while (run_once(script, at, for_good != 0)) {
                        CHECK(count_files() <= files);
                        at++;
                }
        }
}

TEST(tasks)
{
        each_request(SCRIPT("local task, native = require 'task', require '_task'",
                         "native.spawn(function(...) return ... end, 1, 2, 3):wait()\n"
                         "task.each({ 1, 2, 3 }, 2, function(n) task.sleep(0) return n end)\n"
                         "task.shielded(1000, task.sleep, 0)\n"
                         "local h = task.spawn(task.sleep, 1000) h:cancel() h:wait()\n"),
            0);
}

TEST(json)
{
        each_request(
            SCRIPT("local json = require 'json'",
                "local v = json.decode('{\"a\":[1,2.5,null,true,{\"b\":\"x\"}],\"c\":{}}')\n"
                "v.d = ('y'):rep(300)\n"
                "json.decode(json.encode(v, 2))\n"
                "pcall(json.decode, '{') pcall(json.encode, { error })\n"),
            0);
}

TEST(streams)
{
        each_request(SCRIPT("local stream, native, tar = require 'stream', require '_stream', "
                            "require '_tar'",
                         "local sink <close> = native.file_sink(dir .. '/out')\n"
                         "local list <close> = native.file_sink(dir .. '/list')\n"
                         "local source, sum = stream.digest(stream.compress(stream.tar_scan("
                         "tar.dir { root = dir }, stream.catalog(list)), "
                         "'zstd'), true)\n"
                         "stream.copy(source, sink)\n"
                         "sum:result()\n"
                         "pcall(stream.expect, stream.from_string('x'), { parts = { 'x' }, "
                         "part_size = 1, bytes = 1 })\n"
                         "stream.read_all(stream.from_string('abc'), 10)\n"),
            0);
}

TEST(stores)
{
        each_request(SCRIPT("local store, stream = require 'store', require 'stream'",
                         "local s = store.open(dir .. '/store')\n"
                         "s:put('a/b', 'text') s:get('a/b', 10) s:stat('a/b') s:list('')\n"
                         "stream.drain(s:read('a/b'))\n"
                         "local sink <close> = s:create('a/c')\n"
                         "stream.copy(stream.from_string('x'), sink) stream.commit(sink)\n"
                         "s:sweep('a/') s:remove_all('a/')\n"),
            1);
}

TEST(files_and_words)
{
        each_request(
            SCRIPT("local fs, url, time, os_, digest = require '_fs', require '_url', "
                   "require '_time', require '_os', require '_digest'",
                "fs.write(dir .. '/x', 'text') fs.read(dir .. '/x', 10) fs.stat(dir) fs.list(dir)\n"
                "fs.remove(dir .. '/log') local a <close> = fs.append(dir .. '/log', true) "
                "a:add('line') a:lock()\n"
                "fs.remove_tree(dir .. '/log') fs.remove(dir .. '/x') fs.real(dir)\n"
                "url.parse('http://user@host:80/path?q') pcall(url.parse, ':')\n"
                "time.iso(time.parse('20261121T020000Z')) os_.host() os_.process() "
                "os_.errors()\n"
                "os_.started(1) digest.unbase64(digest.base64('abc')) digest.url_encode('a b')\n"),
            2);
}

TEST(secrets_and_requests)
{
        each_request(SCRIPT("local secret, proc, http = require '_secret', require '_proc', "
                            "require 'http'",
                         "local s = secret.new('open sesame') secret.redact('x open sesame')\n"
                         "pcall(proc.run, { argv = { '/nonexistent' }, env = { A = s, B = 'c' }, "
                         "cwd = '/', input = 'in' })\n"
                         "local c = http.client('http://127.0.0.1:9', { token = s })\n"
                         "pcall(c.request, c, 'POST', '/x', { body = 'b', query = { a = 1 } })\n"),
            0);
        /* All secrets are gone: what they were is no secret any more. */
        char text[] = "open sesame";
        secret_redact(text, sizeof(text) - 1);
        CHECK_STR(text, "open sesame");
}

TEST(blocks)
{
        each_request(SCRIPT("local tsdb, stream, tar = require 'tsdb', require 'stream', "
                            "require '_tar'",
                         "local c = tsdb.check(dir) c:dir(dir) c:finish()\n"
                         "c = tsdb.check(dir)\n"
                         "stream.drain(stream.tar_scan(tar.dir { root = dir }, c)) c:finish()\n"),
            0);
}
