/* The command: cove VERB [options] [arguments]. */
#include "command.h"

#include <stdio.h>
#include <string.h>

const verb verbs[] = {
    {"ls", "", "Lists what is in the domain.", NULL, run_ls},
    {"stat", "NAME…", "Tells all about objects: sizes, lifetime, and who is attached.", NULL, run_stat},
    {"get", "NAME", "Writes a block's value to stdout.", "  --hex             as a hex dump\n", run_get},
    {"set", "NAME [FILE]", "Sets a block's value from FILE, else from stdin; creates the block if there is none.",
     "  --size BYTES      capacity of a new block, with K, M or G (default: the value's size)\n"
     "  --lifetime HOW    of a new block: until-removed (default), while-used, while-owned\n"
     "  --mode MODE       of a new block's file, like 0640 (default: the domain's)\n"
     "  --single          a new block keeps one copy\n",
     run_set},
    {"pub", "NAME", "Publishes stdin to a stream, one value a line; creates the stream if there is none.",
     "  --type TYPE       of a new stream: text (default), bytes, i8 … i64, u8 … u64, f32, f64; a line holds one vector\n"
     "  --frame BYTES     one value each BYTES of stdin instead of each line\n"
     "  --capacity BYTES  largest value of a new stream, with K, M or G (default: 4K, or the frame)\n"
     "  --depth N         how many values a new stream keeps (default 8)\n"
     "  --times           a new stream keeps the time of each value\n"
     "  --lifetime HOW    of a new stream: while-used (default), while-owned, until-removed\n"
     "  --mode MODE       of a new stream's file, like 0640 (default: the domain's)\n"
     "  --tag N           a number that goes with each value\n"
     "  --rate HZ         so many values a second at most\n"
     "  --only-writer     nobody else may write meanwhile\n",
     run_pub},
    {"sub", "NAME", "Prints the values of a stream, one a line; waits for the stream if there is none yet.",
     "  --follow HOW      all (default), latest, or lossless: then writers wait for this\n"
     "  --since WHERE     begin with the latest value (default), the oldest that is there, or only new ones\n"
     "  --count N         end after N values\n"
     "  --until-closed    end when the last writer has gone and all is read\n"
     "  --raw             the bytes of the values, and nothing between them\n",
     run_sub},
    {"hz", "NAME", "Tells how many values a second a stream gets, how evenly they come, and how many bytes.",
     "  --window SEC      tell each SEC seconds (default 1)\n"
     "  --count N         end after telling N times\n",
     run_hz},
    {"rm", "NAME…", "Removes objects. Who is attached keeps what they have.", "  --force           also while somebody is attached\n",
     run_rm},
    {"gc", "", "Removes everything whose last user is dead.", "  --dry-run         only say what would go\n", run_gc},
    {"doctor", "", "Looks for trouble in the domain, and says what to do about it.", NULL, run_doctor},
    {"domain", "create DIR", "Makes a directory that is fit to be a domain.",
     "  --mode MODE       of its objects: 0600 (default) to 0666\n", run_domain},
    {"version", "", "Tells the versions of the command and the library.", NULL, run_version},
    {NULL, NULL, NULL, NULL, NULL},
};

static void print_verbs(FILE *out) {
    fputs("usage: cove VERB [options] [arguments]\n\n", out);
    for (const verb *v = verbs; v->name; v++)
        fprintf(out, "  %-8s %-13s %s\n", v->name, v->arguments, v->summary);
    fputs("\nEvery verb knows --domain DIR, --json, --timeout SEC and --help.\n"
          "Exit status: 0 done, 1 not found or condition false, 2 usage, 3 permission, 4 time-out, 5 incompatible,\n"
          "damaged or unrepaired, 6 no space or too large, 7 in use, full or empty, 130 interrupted.\n",
          out);
}

int main(int argc, char **argv) {
    if (argc < 2) {
        print_verbs(stderr);
        return EXIT_USAGE;
    }
    if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "help")) {
        print_verbs(stdout);
        return EXIT_DONE;
    }
    const char *wanted = !strcmp(argv[1], "--version") ? "version" : argv[1];
    for (const verb *v = verbs; v->name; v++)
        if (!strcmp(v->name, wanted)) {
            argv[1] = (char *)v->name;
            int status = v->run(argc - 1, argv + 1);
            if (fflush(stdout) != 0 && status == EXIT_DONE) {
                say("writing to stdout failed");
                status = EXIT_NO_ROOM;
            }
            return status;
        }
    say("there is no verb '%s'; see: cove --help", argv[1]);
    return EXIT_USAGE;
}
