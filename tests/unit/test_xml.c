#include <stdio.h>
#include <stdlib.h>

#include "harness/test.h"
#include "moonkeep/mem.h"
#include "moonkeep/thread.h"
#include "moonkeep/xml.h"

static struct xml *
parse(const char *text)
{
        struct err err;
        struct xml *root = xml_parse(text, strlen(text), &err);

        CHECK_PTR(root, err);
        return root;
}

static void
check_refused(const char *text, size_t len, enum err_code code, const char *why)
{
        struct err err;

        err_init(&err);
        CHECK_ERR(xml_parse(text, len, &err) == NULL, err, code, why);
        CHECK(strchr(err.msg, '\n') == NULL);
}

static void
check_invalid(const char *text, const char *why)
{
        check_refused(text, strlen(text), ERR_INVALID, why);
}

TEST(reads_a_listing)
{
        struct xml *root = parse("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
                                 "<ListBucketResult xmlns=\"http://s3.amazonaws.com/doc/\">"
                                 "<Name>b</Name><Empty/><IsTruncated>false</IsTruncated>"
                                 "<Contents><Key>a&amp;b &#xE9;</Key><Size>1</Size></Contents>"
                                 "<CommonPrefixes><Prefix>p/</Prefix></CommonPrefixes>"
                                 "<Contents><Key> c\n</Key><Size>2</Size></Contents>"
                                 "</ListBucketResult>");

        CHECK_STR(xml_name(root), "ListBucketResult");
        CHECK_STR(xml_text(root), "");
        CHECK_STR(xml_text_at(root, "Name"), "b");
        CHECK_STR(xml_text_at(root, "Empty"), "");
        CHECK(xml_text_at(root, "Absent") == NULL && xml_at(root, "Name/Absent") == NULL);
        CHECK(xml_text_at(root, "Nam") == NULL && xml_text_at(root, "Names") == NULL);
        CHECK_STR(xml_text_at(root, "CommonPrefixes/Prefix"), "p/");
        CHECK(xml_at(root, "") == root);
        const struct xml *entry = xml_first(root, "Contents");
        CHECK_STR(xml_text_at(entry, "Key"), "a&b \xc3\xa9");
        CHECK_STR(xml_text(xml_first(entry, NULL)), "a&b \xc3\xa9");
        CHECK_STR(xml_name(xml_next(entry, NULL)), "CommonPrefixes");
        entry = xml_next(entry, "Contents");
        CHECK_STR(xml_text_at(entry, "Key"), " c\n");
        CHECK(xml_next(entry, "Contents") == NULL && xml_next(entry, NULL) == NULL);
        xml_free(root);
        xml_free(NULL);
}

TEST(nothing_has_no_name_and_no_text)
{
        CHECK(xml_name(NULL) == NULL && xml_first(NULL, NULL) == NULL);
        CHECK(xml_next(NULL, "a") == NULL && xml_at(NULL, "a") == NULL);
        CHECK_STR(xml_text(NULL), "");
        CHECK(xml_text_at(NULL, "a") == NULL);
}

TEST(text_around_children_is_joined)
{
        struct xml *root =
            parse("<a>1<b>x<c>y</c>z</b>2<!-- not -->3<?pi not?><![CDATA[<4>]]><b/>5</a>");

        CHECK_STR(xml_text(root), "123<4>5");
        CHECK_STR(xml_text_at(root, "b"), "xz");
        CHECK_STR(xml_text_at(root, "b/c"), "y");
        xml_free(root);
}

TEST(namespaces_and_attributes_are_dropped)
{
        struct xml *root = parse(
            "<s:a xmlns:s=\"urn:x\" s:k=\"v\"><s:b>1</s:b><t:b xmlns:t=\"urn:|y\">2</t:b></s:a>");

        CHECK_STR(xml_name(root), "a");
        CHECK_STR(xml_text(xml_first(root, "b")), "1");
        CHECK_STR(xml_text(xml_next(xml_first(root, "b"), "b")), "2");
        xml_free(root);
}

TEST(encodings_become_utf8)
{
        struct xml *root = parse("\xef\xbb\xbf<a>\xc3\xa9</a>");

        CHECK_STR(xml_text(root), "\xc3\xa9");
        xml_free(root);
        root = parse("<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?><a>\xe9\xe9\xe9</a>");
        CHECK_STR(xml_text(root), "\xc3\xa9\xc3\xa9\xc3\xa9");
        xml_free(root);
        struct err err;
        static const char wide[] = "\xff\xfe<\0a\0>\0\xac\x20<\0/\0a\0>";
        root = xml_parse(wide, sizeof(wide), &err);
        CHECK_PTR(root, err);
        CHECK_STR(xml_text(root), "\xe2\x82\xac");
        xml_free(root);
        check_invalid("<?xml version=\"1.0\" encoding=\"x-none\"?><a/>", "unknown encoding");
}

TEST(many_names_are_told_apart)
{
        char text[64 * 1024] = "<root>";
        struct xml *root;

        for (int idx = 0; idx < 1000; idx++)
                sprintf(text + strlen(text), "<n%d>%d</n%d>", idx, idx, idx);
        strcat(text, "</root>");
        root = parse(text);
        for (int idx = 0; idx < 1000; idx++) {
                char name[16];
                snprintf(name, sizeof(name), "n%d", idx);
                CHECK_STR(xml_text_at(root, name), name + 1);
        }
        xml_free(root);
}

TEST(refuses_what_is_not_one_document)
{
        check_invalid("", "truncated");
        check_refused(NULL, 0, ERR_INVALID, "truncated");
        check_invalid("\n\n", "line 3");
        check_invalid("text", "line 1");
        check_invalid("{\"a\": 1}", "not XML");
        check_invalid("<html><br></html>", "mismatched tag");
        check_invalid("<a>\n\n</b>", "line 3");
        check_invalid("<a/><b/>", "junk after");
        check_invalid("<s:a/>", "unbound prefix");
        check_invalid("<a xmlns:s='u'><s:/></a>", "not well-formed");
        check_invalid("<a>&nbsp;</a>", "undefined entity");
        check_invalid("<a>&#0;</a>", "line 1");
        check_invalid("<a>&#1;</a>", "line 1");
        check_invalid("<a>\xff</a>", "not well-formed");
        check_refused("<a>\0</a>", 8, ERR_INVALID, "not well-formed");
        check_refused("<a></a>\0", 8, ERR_INVALID, "line 1");
}

TEST(refuses_a_document_that_was_cut_off_anywhere)
{
        static const char text[] =
            "<?xml version=\"1.0\"?>\n<a><b k=\"v\">t\xc3\xa9xt</b>\n<![CDATA[x]]><c/></a>";

        for (size_t len = 0; len < sizeof(text) - 1; len++)
                check_refused(text, len, ERR_INVALID, "line ");
        xml_free(parse(text));
}

TEST(refuses_document_types_and_so_entities)
{
        check_invalid("<!DOCTYPE a><a/>", "document type");
        check_invalid("<!DOCTYPE a [<!ENTITY x \"y\">]><a>&x;</a>", "document type");
        check_invalid("\n<!DOCTYPE a SYSTEM \"file:///etc/passwd\"><a/>", "line 2");
        check_invalid("<!DOCTYPE lolz [<!ENTITY l0 \"lol\">"
                      "<!ENTITY l1 \"&l0;&l0;&l0;&l0;&l0;&l0;&l0;&l0;&l0;&l0;\">"
                      "<!ENTITY l2 \"&l1;&l1;&l1;&l1;&l1;&l1;&l1;&l1;&l1;&l1;\">"
                      "]><lolz>&l2;</lolz>",
            "document type");
}

static char *
repeated(const char *piece, size_t count)
{
        size_t len = strlen(piece);
        char *text = malloc(len * count + 1);

        for (size_t idx = 0; idx < count; idx++)
                memcpy(text + idx * len, piece, len);
        text[len * count] = '\0';
        return text;
}

TEST(depth_is_bounded)
{
        char text[2048] = "";

        for (int depth = 0; depth < XML_DEPTH_MAX; depth++)
                strcat(text, "<a>");
        for (int depth = 0; depth < XML_DEPTH_MAX; depth++)
                strcat(text, "</a>");
        xml_free(parse(text));
        char *absurd = repeated("<a>", 100000);
        check_refused(absurd, 300000, ERR_TOO_BIG, "64 deep");
        free(absurd);
}

TEST(elements_and_bytes_are_bounded)
{
        char *text = repeated("<a/>", XML_ELEMENTS_MAX);

        memcpy(text, "<r> ", 4);
        check_refused(text, strlen(text), ERR_INVALID, "truncated");
        check_refused(text, strlen(text) + XML_SIZE_MAX, ERR_TOO_BIG, "larger than");
        free(text);
        text = repeated("<a/>", XML_ELEMENTS_MAX + 1);
        memcpy(text, "<r> ", 4);
        check_refused(text, strlen(text), ERR_TOO_BIG, "elements");
        free(text);
}

TEST(huge_texts_and_names_are_kept)
{
        size_t len = (size_t)8 << 20;
        char *inner = repeated("0123456\n", len / 8), *text = malloc(len + 64);

        sprintf(text, "<a><b>1</b><c>%s</c></a>", inner);
        struct xml *root = parse(text);
        CHECK(strcmp(xml_text_at(root, "c"), inner) == 0);
        xml_free(root);
        memset(inner, 'n', len);
        sprintf(text, "<%.*s/>", 300000, inner);
        root = parse(text);
        CHECK_INT(strlen(xml_name(root)), 300000);
        xml_free(root);
        free(inner);
        free(text);
}

/* A page of a thousand keys is a handful of allocations, and not much more memory than text. */
TEST(a_page_of_a_listing_is_cheap)
{
        char *entry = repeated("<Contents><Key>some/longer/key</Key><Size>4096</Size>"
                               "<ETag>&quot;d41d8cd98f00b204e9800998ecf8427e&quot;</ETag>"
                               "<StorageClass>STANDARD</StorageClass></Contents>",
            1000);
        char *text = malloc(strlen(entry) + 64);

        sprintf(text, "<ListBucketResult>%s</ListBucketResult>", entry);
        mem_fail_at(0);
        struct xml *root = parse(text);
        CHECK(mem_count() < 50);
        CHECK_STR(xml_text_at(root, "Contents/ETag"), "\"d41d8cd98f00b204e9800998ecf8427e\"");
        xml_free(root);
        free(entry);
        free(text);
}

static void *
parse_deep(void *arg)
{
        xml_free(parse(arg));
        return NULL;
}

TEST(fits_the_stack_of_a_thread)
{
        struct err err;
        pthread_t thread;
        static char text[] = "<a><b><c><d>x</d></c></b></a>";

        CHECK_OK(thread_start(&thread, "xml", parse_deep, text, &err), err);
        thread_join(thread);
}

static void
check_escaped(const char *text, const char *want)
{
        struct err err;
        struct buf buf;

        buf_init(&buf, 1000);
        CHECK_OK(buf_addstr(&buf, "", &err), err);
        CHECK_OK(xml_escape(text, strlen(text), &buf, &err), err);
        CHECK_STR(buf.data, want);
        buf_free(&buf);
}

TEST(escapes_what_cannot_stand_for_itself)
{
        check_escaped("", "");
        check_escaped("plain \xc3\xa9", "plain \xc3\xa9");
        check_escaped("<a href=\"x\">&'</a>", "&lt;a href=&quot;x&quot;&gt;&amp;&apos;&lt;/a&gt;");
        check_escaped("a\r\n\tb\x01\x7f", "a&#xD;&#xA;&#x9;b&#x1;&#x7F;");
}

TEST(escaped_text_is_read_back)
{
        struct err err;
        struct buf buf;
        static const char text[] = " <&>\"'\r\n\t]]> \xc3\xa9 ";

        buf_init(&buf, 1000);
        CHECK_OK(buf_addstr(&buf, "<a>", &err), err);
        CHECK_OK(xml_escape(text, strlen(text), &buf, &err), err);
        CHECK_OK(buf_addstr(&buf, "</a>", &err), err);
        struct xml *root = parse(buf.data);
        CHECK_STR(xml_text(root), text);
        xml_free(root);
        buf_free(&buf);
}

TEST(an_escape_that_fails_adds_nothing)
{
        struct err err;
        struct buf buf;

        buf_init(&buf, 10);
        CHECK_ERR(xml_escape("a<b<c<d", 7, &buf, &err) < 0, err, ERR_TOO_BIG, "more than 10");
        CHECK_INT(buf.len, 0);
        CHECK_OK(buf_addstr(&buf, "x", &err), err);
        CHECK_ERR(xml_escape("a<b<c<d", 7, &buf, &err) < 0, err, ERR_TOO_BIG, "more than 10");
        CHECK_STR(buf.data, "x");
        CHECK_ERR(xml_escape("a\0b", 3, &buf, &err) < 0, err, ERR_INVALID, "NUL");
        CHECK_STR(buf.data, "x");
        buf_free(&buf);
}

static int
parse_and_escape(void *arg, struct err *err)
{
        struct xml *root = xml_parse(arg, strlen(arg), err);
        struct buf buf;
        int rc = -1;

        buf_init(&buf, 1 << 16);
        if (root != NULL)
                rc = xml_escape(xml_text(root), strlen(xml_text(root)), &buf, err);
        buf_free(&buf);
        xml_free(root);
        return rc;
}

TEST(survives_each_failing_allocation)
{
        static char text[] =
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?><s:a xmlns:s=\"u\" k=\"v\">&lt;"
            "<b>text</b><c/><d><e><f><g>&#65;</g></f></e></d>x</s:a>";
        static char latin[] = "<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?><a>\xe9<b/></a>";

        test_each_allocation(parse_and_escape, text);
        test_each_allocation(parse_and_escape, latin);
}
