/* Names with bytes that mean something to shells, to AppArmor or to nobody. */
#include "files.h"

#define NAMED(function, name) \
    static void function(void) { \
        close(opened(name, O_RDWR)); \
    }

NAMED(space, "with space")
NAMED(quote, "quote\"s")
NAMED(tick, "tick's")
NAMED(backslash, "back\\slash")
NAMED(star, "star*")
NAMED(stars, "**")
NAMED(question, "question?")
NAMED(class, "[a-z]")
NAMED(braces, "{one,two}")
NAMED(variable, "@{HOME}")
NAMED(hash, "#hash")
NAMED(caret, "caret^")
NAMED(comma, "comma,")
NAMED(mark, "(deleted)")
NAMED(marked, "bare (deleted)")
NAMED(dash, "-dash")
NAMED(ampersands, "&&")
NAMED(dollar, "$HOME")
NAMED(equals, "equals=")
NAMED(newline, "new\nline.")
NAMED(tab, "tab\t.")
NAMED(bell, "bell\007")
NAMED(latin, "latin\351")
NAMED(half, "half\342\202")
NAMED(wide, "wide\342\202\254")

static void longest(void) {
    char name[256];

    memset(name, '0', 255);
    name[255] = 0;
    close(opened(name, O_RDWR));
}

const struct behaviour odd_names[] = {
    {"name-space", space},
    {"name-quote", quote},
    {"name-tick", tick},
    {"name-backslash", backslash},
    {"name-star", star},
    {"name-stars", stars},
    {"name-question", question},
    {"name-class", class},
    {"name-braces", braces},
    {"name-variable", variable},
    {"name-hash", hash},
    {"name-caret", caret},
    {"name-comma", comma},
    {"name-deleted", mark},
    {"name-ends-deleted", marked},
    {"name-dash", dash},
    {"name-ampersands", ampersands},
    {"name-dollar", dollar},
    {"name-equals", equals},
    {"name-newline", newline},
    {"name-tab", tab},
    {"name-bell", bell},
    {"name-latin-1", latin},
    {"name-half-utf-8", half},
    {"name-utf-8", wide},
    {"name-longest", longest},
    {0},
};
