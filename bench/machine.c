#include "bench/machine.h"
#include "bench/library.h"
#include "bench/measure.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

_Static_assert((int)LIBRARY_PATH_BYTES <= (int)FOLDER_PATH_BYTES, "a peer's path holds any library's");

static void read_model(char *model)
{
    char line[MACHINE_TEXT_BYTES];
    strcpy(model, "unknown processor");
    FILE *file = fopen("/proc/cpuinfo", "re");
    if (file == NULL)
        return;
    while (fgets(line, sizeof line, file) != NULL) {
        const char *colon = strchr(line, ':');
        if (strncmp(line, "model name", strlen("model name")) == 0 && colon != NULL) {
            snprintf(model, MACHINE_TEXT_BYTES, "%s", colon + 1 + strspn(colon + 1, " "));
            model[strcspn(model, "\n")] = '\0';
            break;
        }
    }
    fclose(file);
}

struct machine machine_describe(const char *folder)
{
    struct machine machine = {
        .cores = (int)sysconf(_SC_NPROCESSORS_ONLN),
        .memory_gib = (double)sysconf(_SC_PHYS_PAGES) * (double)sysconf(_SC_PAGESIZE) / (1024.0 * 1024 * 1024),
        .clock_cost_ns = measure_clock_cost_ns(),
    };
    struct utsname system;
    read_model(machine.model);
    if (uname(&system) == 0)
        snprintf(machine.system, sizeof machine.system, "%.64s %.100s %.64s", system.sysname, system.release,
                 system.machine);
    snprintf(machine.file_system, sizeof machine.file_system, "%s", folder_file_system(folder));
    if (getloadavg(&machine.load, 1) != 1)
        machine.load = 0;
    return machine;
}

void machine_describe_peer(struct peer *peer, const struct engine *engine)
{
    engine->version(peer->version);
    library_path(peer->path, engine->symbol);
    const char *assertions = engine->assertions;
    if (assertions == NULL) {
        switch (library_imports(peer->path, "__assert_fail")) {
        case LIBRARY_IMPORTS:
            assertions = "built WITH assertions";
            break;
        case LIBRARY_IMPORTS_NOT:
            assertions = "built without assertions";
            break;
        default:
            assertions = "assertions unknown";
        }
    }
    snprintf(peer->assertions, sizeof peer->assertions, "%s", assertions);
}
