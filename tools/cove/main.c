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
    {"hz", "NAME",
     "Tells how many values a second a stream gets, how evenly they come, and how many bytes; of a queue, how many come and go.",
     "  --window SEC      tell each SEC seconds (default 1)\n"
     "  --count N         end after telling N times\n",
     run_hz},
    {"push", "NAME", "Pushes stdin to a queue, one message a line; creates the queue if there is none.",
     "  --type TYPE       of a new queue: text (default), bytes, i8 … i64, u8 … u64, f32, f64; a line holds one vector\n"
     "  --frame BYTES     one message each BYTES of stdin instead of each line\n"
     "  --capacity BYTES  largest message of a new queue, with K, M or G (default: 4K, or the frame)\n"
     "  --depth N         how many messages may wait in a new queue (default 64)\n"
     "  --dead-letter Q   of a new queue: the queue for messages that nobody gets done\n"
     "  --max-deliveries N  after so many deliveries (default 5)\n"
     "  --drop-oldest     of a new queue: where it is full, the oldest message goes; else this waits\n"
     "  --lifetime HOW    of a new queue: until-removed (default), while-used, while-owned\n"
     "  --mode MODE       of a new queue's file, like 0640 (default: the domain's)\n"
     "  --times           the queue must keep times; one that is created here does\n"
     "  --tag N           a number that goes with each message\n"
     "  --rate HZ         so many messages a second at most\n"
     "  --only-producer   nobody else may push meanwhile\n"
     "  --timeout SEC     how long each message waits for room (default: for ever)\n",
     run_push},
    {"pop", "NAME", "Takes a message from a queue and prints it; it is done when it is printed, or when CMD has succeeded.",
     "  --exec CMD        give each message to the shell command CMD on its stdin; done if that exits with 0, else put back.\n"
     "                    CMD finds COVE_SEQUENCE, COVE_TAG, COVE_DELIVERIES and COVE_LENGTH in its environment\n"
     "  --follow          go on, and wait for more; with --timeout end when none has come for so long\n"
     "  --count N         N messages instead of one\n"
     "  --until-closed    go on until the last producer has gone and all is taken\n"
     "  --peek            print the next message and leave it there\n"
     "  --raw             the bytes of the messages, and nothing between them\n",
     run_pop},
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
