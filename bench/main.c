/* kvstore_bench -- the same workloads on kvstore and its peers, interleaved, and compared. */
#include "bench/output.h"

#include <signal.h>
#include <string.h>

enum { STATUS_FAILED = 1, STATUS_INTERRUPTED = 130 };

static void catch_interrupts(void)
{
    struct sigaction action = {.sa_handler = plan_interrupt, .sa_flags = SA_RESTART};
    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
}

static int run_all(const struct options *options, struct output *output, const struct dataset *dataset,
                   const char *folder)
{
    struct machine machine = machine_describe(folder);
    struct results results;
    output_header(output, &machine);
    if (!plan_execute(&results, options, dataset, folder, output_run, output)) {
        fprintf(stderr, "bench: no memory for the results\n");
        return STATUS_FAILED;
    }
    if (results.rounds != 0)
        output_results(output, &results);
    int status = results.interrupted ? STATUS_INTERRUPTED : results.failures != 0 ? STATUS_FAILED : 0;
    plan_fini(&results);
    return status;
}

int main(int argc, char **argv)
{
    struct options options;
    struct dataset dataset;
    struct output output;
    char folder[FOLDER_PATH_BYTES];
    options_parse(&options, argc, argv);
    if (!dataset_init(&dataset, options.seed, options.records, options.key_bytes, options.value_bytes)) {
        fprintf(stderr, "bench: no memory for the values\n");
        return STATUS_FAILED;
    }
    int status = STATUS_FAILED;
    if (!output_open(&output, &options))
        goto out;
    if (folder_make(folder, options.parent)) {
        catch_interrupts();
        status = run_all(&options, &output, &dataset, folder);
        if (!folder_remove(folder) && status == 0)
            status = STATUS_FAILED;
    }
    if (!output_close(&output) && status == 0)
        status = STATUS_FAILED;
out:
    dataset_fini(&dataset);
    return status;
}
