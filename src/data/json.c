#include "json_internal.h"

#include <pthread.h>

#include "moonkeep/mem.h"

/* jansson does not say why it returned NULL: the allocator below remembers. */
static _Thread_local bool ran_out;

static void *
allocate(size_t size)
{
        void *ptr = mem_alloc(size, NULL);

        if (ptr == NULL)
                ran_out = true;
        return ptr;
}

static void
set_allocator(void)
{
        json_set_alloc_funcs(allocate, mem_free);
}

void
json_begin(void)
{
        static pthread_once_t once = PTHREAD_ONCE_INIT;

        pthread_once(&once, set_allocator);
        ran_out = false;
}

bool
json_ran_out(void)
{
        return ran_out;
}

void
json_free(struct json *value)
{
        json_decref(json_inner(value));
}

enum json_type
json_type_of(const struct json *value)
{
        switch (json_typeof(json_inner(value))) {
        case JSON_OBJECT:
                return JSON_T_OBJECT;
        case JSON_ARRAY:
                return JSON_T_ARRAY;
        case JSON_STRING:
                return JSON_T_STRING;
        case JSON_INTEGER:
                return JSON_T_INT;
        case JSON_REAL:
                return JSON_T_REAL;
        case JSON_TRUE:
        case JSON_FALSE:
                return JSON_T_BOOL;
        case JSON_NULL:
                break;
        }
        return JSON_T_NULL;
}

bool
json_bool(const struct json *value)
{
        return json_is_true(json_inner(value));
}

int64_t
json_int(const struct json *value)
{
        return json_integer_value(json_inner(value));
}

double
json_real(const struct json *value)
{
        return json_number_value(json_inner(value));
}

const char *
json_string(const struct json *value, size_t *len)
{
        if (len != NULL)
                *len = json_string_length(json_inner(value));
        return json_string_value(json_inner(value));
}

struct json *
json_get(const struct json *value, const char *key)
{
        return json_outer(json_object_get(json_inner(value), key));
}

size_t
json_array_len(const struct json *value)
{
        return json_array_size(json_inner(value));
}

struct json *
json_array_at(const struct json *value, size_t idx)
{
        return json_outer(json_array_get(json_inner(value), idx));
}

bool
json_object_next(
    const struct json *value, void **iter, const char **key, size_t *key_len, struct json **child)
{
        json_t *object = json_inner(value);
        void *next =
            *iter == NULL ? json_object_iter(object) : json_object_iter_next(object, *iter);

        if (next == NULL)
                return false;
        *iter = next;
        *key = json_object_iter_key(next);
        if (key_len != NULL)
                *key_len = json_object_iter_key_len(next);
        *child = json_outer(json_object_iter_value(next));
        return true;
}

/* A value that jansson made, or the error: no memory, or else what. */
static struct json *
made(json_t *value, const char *what, struct err *err)
{
        if (value != NULL)
                return json_outer(value);
        if (ran_out)
                err_set(err, ERR_NOMEM, "cannot allocate memory for a JSON value");
        else
                err_set(err, ERR_INVALID, "cannot make a JSON value: %s", what);
        return NULL;
}

struct json *
json_new_null(struct err *err)
{
        json_begin();
        return made(json_null(), "", err);
}

struct json *
json_new_bool(bool value, struct err *err)
{
        json_begin();
        return made(json_boolean(value), "", err);
}

struct json *
json_new_int(int64_t value, struct err *err)
{
        json_begin();
        return made(json_integer(value), "not an integer", err);
}

struct json *
json_new_real(double value, struct err *err)
{
        json_begin();
        return made(jansson_real(value), "not a finite number", err);
}

struct json *
json_new_string(const char *text, size_t len, struct err *err)
{
        json_begin();
        return made(json_stringn(len != 0 ? text : "", len), "a string is not UTF-8", err);
}

struct json *
json_new_array(struct err *err)
{
        json_begin();
        return made(json_array(), "an array", err);
}

struct json *
json_new_object(struct err *err)
{
        json_begin();
        return made(json_object(), "an object", err);
}

/* The result of adding a child that jansson took in any case. */
static int
added(int result, const char *what, struct err *err)
{
        if (result == 0)
                return 0;
        if (ran_out)
                return err_set(err, ERR_NOMEM, "cannot allocate memory for a JSON value");
        return err_set(err, ERR_INVALID, "cannot make a JSON value: %s", what);
}

int
json_append(struct json *array, struct json *child, struct err *err)
{
        /* Made by a call that failed, and has filled err. */
        if (child == NULL)
                return -1;
        json_begin();
        return added(json_array_append_new(json_inner(array), json_inner(child)),
            "not an array, or it contains itself", err);
}

int
json_set(struct json *object, const char *key, size_t key_len, struct json *child, struct err *err)
{
        if (child == NULL)
                return -1;
        json_begin();
        return added(json_object_setn_new(json_inner(object), key, key_len, json_inner(child)),
            "not an object, it contains itself, or a key is not UTF-8", err);
}
