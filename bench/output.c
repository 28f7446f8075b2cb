#include "bench/output.h"
#include "bench/json.h"
#include "bench/table.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

enum { MIB = 1024 * 1024, CELL_BYTES = 2 * METRIC_NUMBER_BYTES + 8 };

static FILE *open_file(const char *path)
{
    FILE *file = fopen(path, "we");
    if (file == NULL)
        fprintf(stderr, "bench: cannot write %s: %s\n", path, strerror(errno));
    return file;
}

static bool close_file(FILE *file, const char *path)
{
    if (file == NULL)
        return true;
    bool written = !ferror(file);
    if (fclose(file) == 0 && written)
        return true;
    fprintf(stderr, "bench: cannot write %s\n", path);
    return false;
}

bool output_open(struct output *output, const struct options *options)
{
    *output = (struct output){.options = options};
    if (options->json != NULL && (output->json = open_file(options->json)) == NULL)
        return false;
    if (options->markdown != NULL && (output->markdown = open_file(options->markdown)) == NULL) {
        close_file(output->json, options->json);
        return false;
    }
    return true;
}

bool output_close(struct output *output)
{
    bool json = close_file(output->json, output->options->json);
    bool markdown = close_file(output->markdown, output->options->markdown);
    return json && markdown;
}

/* A line of the header, to the terminal and as an item of the Markdown. */
__attribute__((format(printf, 2, 3))) static void header_line(const struct output *output, const char *format, ...)
{
    char line[2 * FOLDER_PATH_BYTES];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    printf("%s\n", line);
    if (output->markdown != NULL)
        fprintf(output->markdown, "- %s\n", line);
}

static void header_machine(struct output *output, const struct machine *machine)
{
    header_line(output, "machine: %d cores, %s, %.0f GiB, %s, %s", machine->cores, machine->model, machine->memory_gib,
                machine->system, machine->file_system);
    header_line(
        output,
        "load before: %.2f; a look at the clock takes %.0f ns: one for each write or seek, two for one in 16 of the other reads",
        machine->load, machine->clock_cost_ns);
    if (output->json == NULL)
        return;
    struct json json = json_begin(output->json);
    json_text(&json, "type", "machine");
    json_number(&json, "cores", machine->cores);
    json_text(&json, "model", machine->model);
    json_number(&json, "memory_gib", machine->memory_gib);
    json_text(&json, "system", machine->system);
    json_text(&json, "file_system", machine->file_system);
    json_number(&json, "load", machine->load);
    json_number(&json, "clock_cost_ns", machine->clock_cost_ns);
    json_end(&json);
}

static void header_settings(struct output *output)
{
    const struct options *options = output->options;
    header_line(
        output,
        "%llu records of %zu + %zu bytes (%.0f MiB); memory of each engine %.0f MiB; compression %s; threads %u; sync mode %s; %u rounds; "
        "seed %llu",
        (unsigned long long)options->records, options->key_bytes, options->value_bytes,
        (double)(options->key_bytes + options->value_bytes) * (double)options->records / MIB,
        (double)options->memory_bytes / MIB, options->compress ? "on" : "none", options->size.threads,
        options->sync ? "always" : "os", options->rounds, (unsigned long long)options->seed);
    header_line(
        output,
        "after each fill the engine flushes and finishes its compactions (no forced full one); reads run on that, warmed");
    if (output->json == NULL)
        return;
    struct json json = json_begin(output->json);
    json_text(&json, "type", "settings");
    json_number(&json, "records", (double)options->records);
    json_number(&json, "key_bytes", (double)options->key_bytes);
    json_number(&json, "value_bytes", (double)options->value_bytes);
    json_number(&json, "memory_bytes", (double)options->memory_bytes);
    json_text(&json, "compression", options->compress ? "on" : "none");
    json_number(&json, "threads", options->size.threads);
    json_text(&json, "sync_mode", options->sync ? "always" : "os");
    json_number(&json, "sync_operations", (double)options->size.sync_operations);
    json_number(&json, "rounds", options->rounds);
    json_number(&json, "seed", (double)options->seed);
    json_end(&json);
}

static void header_engine(struct output *output, const struct engine *engine)
{
    struct peer *peer = malloc(sizeof *peer);
    if (peer == NULL)
        return;
    machine_describe_peer(peer, engine);
    header_line(output, "%s %s, %s, %s: %s", engine->name, peer->version, peer->assertions, peer->path,
                engine->settings);
    if (output->json != NULL) {
        struct json json = json_begin(output->json);
        json_text(&json, "type", "engine");
        json_text(&json, "engine", engine->name);
        json_text(&json, "version", peer->version);
        json_text(&json, "assertions", peer->assertions);
        json_text(&json, "library", peer->path);
        json_text(&json, "settings", engine->settings);
        json_end(&json);
    }
    free(peer);
}

void output_header(struct output *output, const struct machine *machine)
{
    header_machine(output, machine);
    header_settings(output);
    for (size_t i = 0; i < output->options->engine_count; i++)
        header_engine(output, output->options->engines[i]);
    printf("\n");
    fflush(stdout);
}

void output_run(void *context, unsigned round, const struct workload *workload, const struct engine *engine,
                const struct outcome *outcome)
{
    const struct output *output = context;
    const double *values = outcome->report.values;
    char ops[METRIC_NUMBER_BYTES], cpu[METRIC_NUMBER_BYTES];
    metric_format(ops, values[METRIC_OPS], metric_texts[METRIC_OPS].decimals);
    metric_format(cpu, values[METRIC_CPU], metric_texts[METRIC_CPU].decimals);
    fprintf(stderr, "round %u  %-12s %-8s %12s ops/s  %8s CPU us/op%s%s\n", round + 1, workload->name, engine->name,
            ops, cpu, outcome->ok ? "" : "  FAILED: ", outcome->text);
    if (output->json == NULL)
        return;
    struct json json = json_begin(output->json);
    json_text(&json, "type", "run");
    json_number(&json, "round", round + 1);
    json_text(&json, "workload", workload->name);
    json_text(&json, "engine", engine->name);
    json_bool(&json, "ok", outcome->ok);
    if (!outcome->ok)
        json_text(&json, "failure", outcome->text);
    for (int metric = 0; metric < METRIC_COUNT; metric++)
        json_number(&json, metric_texts[metric].key, values[metric]);
    json_end(&json);
    fflush(output->json);
}

/* How each engine's operations per second compare: the headline. */
static struct table headline_table(const struct results *results)
{
    const struct options *options = results->options;
    struct table table = table_of(1 + 2 * options->engine_count, 1);
    char text[CELL_BYTES], min[METRIC_NUMBER_BYTES], max[METRIC_NUMBER_BYTES];
    table_add(&table, "ops/s");
    for (size_t engine = 0; engine < options->engine_count; engine++) {
        table_add(&table, options->engines[engine]->name);
        table_add(&table, "min..max");
    }
    for (size_t workload = 0; workload < options->workload_count; workload++) {
        table_add(&table, options->workloads[workload]->name);
        for (size_t engine = 0; engine < options->engine_count; engine++) {
            struct spread spread = plan_spread(results, workload, engine, METRIC_OPS);
            metric_format(text, spread.median, 0);
            table_add(&table, text);
            metric_format(min, spread.min, 0);
            metric_format(max, spread.max, 0);
            snprintf(text, sizeof text, "%s..%s", min, max);
            table_add(&table, isnan(spread.median) ? "-" : text);
        }
    }
    return table;
}

/* The first engine against the best of the others, in operations per second and in processor time. */
static void add_ratio(struct table *table, const struct results *results, size_t workload, enum metric metric,
                      bool more_is_better)
{
    char text[METRIC_NUMBER_BYTES];
    double own = plan_spread(results, workload, 0, metric).median;
    double best = NAN;
    for (size_t engine = 1; engine < results->options->engine_count; engine++) {
        double other = plan_spread(results, workload, engine, metric).median;
        if (isnan(best) || (more_is_better ? other > best : other < best))
            best = other;
    }
    metric_format(text, more_is_better ? own / best : best / own, 2);
    table_add(table, text);
}

static struct table ratio_table(const struct results *results)
{
    const struct options *options = results->options;
    struct table table = table_of(5, 1);
    char text[ENGINE_TEXT_BYTES];
    snprintf(text, sizeof text, "%s against the best other", options->engines[0]->name);
    table_add(&table, text);
    table_add(&table, "ops/s");
    table_add(&table, "with settling");
    table_add(&table, "CPU");
    table_add(&table, "CPU with settling");
    for (size_t workload = 0; workload < options->workload_count; workload++) {
        table_add(&table, options->workloads[workload]->name);
        add_ratio(&table, results, workload, METRIC_OPS, true);
        add_ratio(&table, results, workload, METRIC_OPS_SETTLED, true);
        add_ratio(&table, results, workload, METRIC_CPU, false);
        add_ratio(&table, results, workload, METRIC_CPU_SETTLED, false);
    }
    return table;
}

static struct table detail_table(const struct results *results)
{
    const struct options *options = results->options;
    size_t columns = 2;
    for (int metric = 0; metric < METRIC_COUNT; metric++)
        columns += metric_texts[metric].heading != NULL;
    struct table table = table_of(columns, 2);
    table_add(&table, "workload");
    table_add(&table, "engine");
    for (int metric = 0; metric < METRIC_COUNT; metric++) {
        if (metric_texts[metric].heading != NULL)
            table_add(&table, metric_texts[metric].heading);
    }
    for (size_t cell = 0; cell < options->workload_count * options->engine_count; cell++) {
        size_t workload = cell / options->engine_count, engine = cell % options->engine_count;
        char text[METRIC_NUMBER_BYTES];
        table_add(&table, options->workloads[workload]->name);
        table_add(&table, options->engines[engine]->name);
        for (int metric = 0; metric < METRIC_COUNT; metric++) {
            if (metric_texts[metric].heading == NULL)
                continue;
            metric_format(text, plan_spread(results, workload, engine, (enum metric)metric).median,
                          metric_texts[metric].decimals);
            table_add(&table, text);
        }
    }
    return table;
}

static void print_table(const struct output *output, struct table table)
{
    printf("\n");
    table_print(&table, stdout, TABLE_TEXT);
    if (output->markdown != NULL) {
        fprintf(output->markdown, "\n");
        table_print(&table, output->markdown, TABLE_MARKDOWN);
    }
    table_fini(&table);
}

static void print_json_medians(const struct output *output, const struct results *results)
{
    const struct options *options = results->options;
    for (size_t cell = 0; cell < options->workload_count * options->engine_count; cell++) {
        size_t workload = cell / options->engine_count, engine = cell % options->engine_count;
        struct json json = json_begin(output->json);
        json_text(&json, "type", "median");
        json_text(&json, "workload", options->workloads[workload]->name);
        json_text(&json, "engine", options->engines[engine]->name);
        json_number(&json, "rounds", results->rounds);
        for (int metric = 0; metric < METRIC_COUNT; metric++)
            json_number(&json, metric_texts[metric].key,
                        plan_spread(results, workload, engine, (enum metric)metric).median);
        json_end(&json);
    }
}

void output_results(struct output *output, const struct results *results)
{
    const struct options *options = output->options;
    print_table(output, headline_table(results));
    if (options->engine_count > 1)
        print_table(output, ratio_table(results));
    print_table(output, detail_table(results));
    printf("\nMedians of %u round%s.", results->rounds, results->rounds == 1 ? "" : "s");
    if (results->interrupted)
        printf(" Interrupted: rounds that were not finished are left out.");
    if (results->failures != 0)
        printf(" %u RUNS FAILED and are left out.", results->failures);
    printf("\n");
    if (output->json != NULL)
        print_json_medians(output, results);
}
