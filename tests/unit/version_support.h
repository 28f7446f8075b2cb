/* version_support.h -- a version set on a simulated disk with real segments: what the version and compaction tests share. */
#ifndef KVS_TESTS_VERSION_SUPPORT_H
#define KVS_TESTS_VERSION_SUPPORT_H

#include "io_test_support.h"

#include "base/memory_budget.h"
#include "io/io_fault.h"
#include "io/io_mem.h"
#include "segment/segment_writer.h"
#include "version/version_set.h"

#include <errno.h>
#include <stdio.h>

#define FOLDER "db"

/* mem     the disk; fault wraps it, and io is the fault's
 * lines   how often the set had something to log */
struct world {
    struct io_mem *mem;
    struct io_fault *fault;
    struct io *io;
    struct memory_budget budget;
    struct cache *cache;
    struct segment_context segments;
    struct version_set *set;
    unsigned lines;
};

static inline void world_log(void *context, struct kvs_status status, const char *line)
{
    struct world *world = context;
    (void)status;
    assert_true(strlen(line) > 0);
    world->lines++;
}

static inline struct version_set_options world_options(struct world *world)
{
    return (struct version_set_options){
        .io = world->io, .folder = FOLDER, .segments = &world->segments, .log = world_log, .log_context = world};
}

/* Take over a disk, without opening anything on it. */
static inline void world_mount(struct world *world, struct io_mem *mem)
{
    *world = (struct world){.mem = mem};
    world->fault = io_fault_new(io_mem_as_io(mem));
    world->io = io_fault_as_io(world->fault);
    memory_budget_init(&world->budget, 8 << 20);
    assert_ok(cache_new(&world->cache, world->io, &world->budget));
    world->segments = (struct segment_context){world->io, world->cache, &world->budget};
}

static inline struct io_mem *world_new_disk(uint64_t seed)
{
    struct io_mem *mem = io_mem_new(seed, NULL);
    assert_ok(io_make_directory(io_mem_as_io(mem), FOLDER));
    assert_ok(io_directory_sync(io_mem_as_io(mem), "/", SYNC_DATABASE_DIRECTORY));
    return mem;
}

/* A new database on a new disk. */
static inline void world_create(struct world *world)
{
    world_mount(world, world_new_disk(1));
    struct version_set_options options = world_options(world);
    assert_ok(version_set_create(&world->set, &options, "test"));
}

/* Close the set and all around it; the disk stays and is returned. Nothing may have been leaked. */
static inline struct io_mem *world_unmount(struct world *world)
{
    version_set_close(world->set);
    world->set = NULL;
    cache_free(world->cache);
    io_fault_free(world->fault);
    assert_int_equal(memory_budget_total(&world->budget), 0);
    assert_int_equal(io_mem_open_count(world->mem), 0);
    return world->mem;
}

static inline void world_free(struct world *world)
{
    io_mem_free(world_unmount(world));
}

/* Open for writing what is on the disk. */
static inline struct kvs_status world_open(struct world *world, struct version_recovery *recovery)
{
    struct version_set_options options = world_options(world);
    STATUS_RETURN_IF_ERROR(version_set_recover(&world->set, recovery, &options));
    STATUS_RETURN_IF_ERROR(version_set_begin(world->set, NULL));
    return version_set_sweep(world->set);
}

/* Write a segment with one put of each key, words of text separated by blanks, at a sequence number. */
static inline struct kvs_status world_write_segment(struct world *world, struct version_segment **segment,
                                                    const char *keys, uint64_t sequence)
{
    struct segment_writer *writer;
    struct segment_meta meta;
    struct segment_writer_options options = {.number = version_set_new_number(world->set),
                                             .codec = SEGMENT_CODEC_NONE,
                                             .level = 1,
                                             .block_bytes = 4096,
                                             .filter_bits_per_key = 10};
    memcpy(options.uuid, version_set_uuid(world->set), sizeof options.uuid);
    STATUS_RETURN_IF_ERROR(segment_writer_new(&writer, world->io, FOLDER, &options));
    struct kvs_status status = status_ok();
    for (const char *at = keys; *at != '\0' && status_is_ok(status);) {
        size_t size = strcspn(at, " ");
        status =
            segment_writer_add(writer, key_of(slice_of(at, size), key_trailer(sequence, KEY_PUT)), slice_of_text("v"));
        at += size;
        at += *at == ' ';
    }
    if (status_is_ok(status))
        status = segment_writer_finish(writer, &meta);
    if (!status_is_ok(status)) {
        segment_writer_abandon(writer);
        return status;
    }
    status = io_directory_sync(world->io, FOLDER, SYNC_SEGMENT_DIRECTORY);
    if (status_is_ok(status))
        status = version_segment_open(segment, world->set, &meta);
    segment_meta_fini(&meta);
    return status;
}

/* Add a segment of keys to an edit, as a run with the segment's number (run 0) or as part of a run. */
static inline struct kvs_status world_add(struct world *world, struct version_edit *edit, unsigned level, uint64_t run,
                                          const char *keys)
{
    struct version_segment *segment;
    STATUS_RETURN_IF_ERROR(world_write_segment(world, &segment, keys, version_set_new_number(world->set)));
    return version_edit_add(edit, level, run == 0 ? segment->meta.number : run, segment);
}

/* The name of a file in the folder. */
static inline bool world_has(struct world *world, enum file_type type, uint64_t number)
{
    char path[IO_PATH_BYTES];
    assert_ok(file_name_path(path, FOLDER, type, number));
    return is_there(io_mem_as_io(world->mem), path);
}

/* A version as text, "level.run(keys-keys keys-keys) ...", newest run first. */
static inline void version_print(char *out, size_t capacity, const struct version *version)
{
    size_t at = 0;
    out[0] = '\0';
    for (unsigned level = 0; level < VERSION_LEVEL_COUNT; level++) {
        for (size_t i = version->level_start[level]; i < version->level_start[level + 1]; i++) {
            const struct version_run *run = version->runs[i];
            at += (size_t)snprintf(out + at, capacity - at, "%s%u(", at == 0 ? "" : " ", level);
            for (size_t s = 0; s < run->count; s++) {
                const struct segment_meta *meta = &run->segments[s]->meta;
                at += (size_t)snprintf(out + at, capacity - at, "%s%.*s-%.*s", s == 0 ? "" : " ",
                                       (int)meta->smallest.user.size, (const char *)meta->smallest.user.data,
                                       (int)meta->largest.user.size, (const char *)meta->largest.user.data);
            }
            at += (size_t)snprintf(out + at, capacity - at, ")");
        }
    }
}

static inline void check_version(struct world *world, const char *expected, int line)
{
    char found[1024];
    struct version *version = version_set_current(world->set);
    version_print(found, sizeof found, version);
    version_unref(version);
    if (strcmp(found, expected) != 0) {
        print_error("expected %s\nfound    %s\n", expected, found);
        _fail(__FILE__, line);
    }
}

#define assert_version(world, expected) check_version((world), (expected), __LINE__)

#endif
