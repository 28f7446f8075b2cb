#include "repair/segment_salvage.h"

#include "base/coding.h"
#include "block/block_iterator.h"
#include "cache/scratch.h"
#include "format/file_header.h"
#include "format/segment_format.h"
#include "segment/segment_codec.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ZSTD_MAGICNUMBER, with which each compressed block begins; and how many such places before a frame are tried as its block's beginning. */
#define ZSTD_FRAME_MAGIC UINT32_C(0xFD2FB528)
enum { STARTS_MAX = 64, READ_BYTES = 1024 * 1024 };

/* extents  of the blocks that verify
 * entries, largest_sequence   in them */
struct segment_salvage {
    struct io_file *file;
    char path[IO_PATH_BYTES];
    char name[FILE_NAME_BYTES];
    uint64_t file_id;
    struct segment_extent *extents;
    size_t count, capacity;
    uint64_t entries, largest_sequence;
};

/* A block taken apart. raw is the owner's memory. */
struct open_block {
    struct buffer raw;
    struct scratch scratch;
    struct block block;
};

static void open_block_fini(struct open_block *open)
{
    buffer_fini(&open->raw);
    if (open->scratch.tool != NULL)
        open->scratch.tool_free(open->scratch.tool);
}

/* Verify, decompress and take apart the stored bytes of a data block. is_block: out. Errors: NO_MEMORY. */
static struct kvs_status open_bytes(const struct segment_salvage *salvage, bool *is_block, struct open_block *open,
                                    const uint8_t *bytes, struct segment_extent extent)
{
    struct segment_frame frame;
    struct block_flaw flaw;
    *is_block = false;
    if (!status_is_ok(segment_frame_decode(&frame, bytes, extent.size, salvage->file_id, extent.offset,
                                           SEGMENT_BLOCK_DATA, SEGMENT_DATA_MAX_BYTES, salvage->path)))
        return status_ok();
    buffer_clear(&open->raw);
    STATUS_RETURN_IF_ERROR(buffer_reserve(&open->raw, frame.raw_size));
    struct kvs_status status = segment_decompress(open->raw.data, &open->scratch, &frame, salvage->path, extent.offset);
    if (status.code == KVS_NO_MEMORY)
        return status;
    *is_block = status_is_ok(status) && block_open(&open->block, &flaw, open->raw.data, frame.raw_size);
    return status_ok();
}

/* ---- The search ---- */

/* A search under way over the whole file in memory.
 *
 * start      where the next block should begin
 * last_key   of the last block that was found, in last_key_bytes; meaningful once has_last
 * lost       whether an entry is missing at all, as the counts say; holes are only reported if so */
struct search {
    struct segment_salvage *salvage;
    struct repair_report *report;
    const struct segment_meta *meta;
    const uint8_t *bytes;
    uint64_t size;
    uint64_t start;
    struct open_block open;
    struct buffer last_key;
    bool has_last;
    size_t first_finding;
};

static struct kvs_status add_extent(struct segment_salvage *salvage, struct segment_extent extent)
{
    if (salvage->count == salvage->capacity) {
        size_t capacity = salvage->capacity == 0 ? 64 : salvage->capacity * 2;
        struct segment_extent *grown = realloc(salvage->extents, capacity * sizeof *grown);
        if (grown == NULL)
            return STATUS(KVS_NO_MEMORY, "%s: no memory for a list of %zu blocks", salvage->path, capacity);
        salvage->extents = grown;
        salvage->capacity = capacity;
    }
    salvage->extents[salvage->count++] = extent;
    return status_ok();
}

/* Bytes from start to end are no block; first is the first key after them. */
static struct kvs_status note_hole(struct search *search, uint64_t end, struct kvs_slice first)
{
    const struct segment_meta *meta = search->meta;
    struct repair_finding finding = {.part = REPAIR_SEGMENT, .offset = search->start, .end = end, .is_lost = true};
    snprintf(finding.file, sizeof finding.file, "%s", search->salvage->name);
    snprintf(finding.what, sizeof finding.what, "expected data blocks, found bytes that do not verify as any");
    finding.has_keys = (search->has_last || meta != NULL) && first.data != NULL;
    if (finding.has_keys) {
        finding.first_key = search->has_last ? buffer_slice(&search->last_key) : meta->smallest.user;
        finding.last_key = first;
    }
    return repair_report_add(search->report, &finding);
}

/* Count the entries of the block that is open; first_key: out, borrowed from iterator. */
static struct kvs_status take_block(struct search *search, struct segment_extent extent)
{
    struct segment_salvage *salvage = search->salvage;
    struct block_iterator iterator;
    block_iterator_init(&iterator);
    block_iterator_set(&iterator, &search->open.block);
    struct kvs_status status = block_iterator_first(&iterator);
    if (status_is_ok(status) && extent.offset > search->start)
        status = note_hole(search, extent.offset, iterator.base.key.user);
    while (status_is_ok(status) && iterator.base.valid) {
        uint64_t sequence = key_sequence(iterator.base.key.trailer);
        salvage->entries++;
        if (sequence > salvage->largest_sequence)
            salvage->largest_sequence = sequence;
        buffer_clear(&search->last_key);
        status = buffer_append(&search->last_key, iterator.base.key.user.data, iterator.base.key.user.size);
        if (status_is_ok(status))
            status = block_iterator_next(&iterator);
    }
    search->has_last = true;
    block_iterator_fini(&iterator);
    return status_is_ok(status) ? add_extent(salvage, extent) : status;
}

/* Try the bytes [start, end) as a block. */
static struct kvs_status try_block(struct search *search, bool *found, uint64_t start, uint64_t end)
{
    struct segment_extent extent = {start, end - start};
    STATUS_RETURN_IF_ERROR(open_bytes(search->salvage, found, &search->open, search->bytes + start, extent));
    if (!*found)
        return status_ok();
    STATUS_RETURN_IF_ERROR(take_block(search, extent));
    search->start = end;
    return status_ok();
}

/* A compressed block may begin wherever its magic stands: the places nearest to the frame are tried last to first. */
static struct kvs_status try_compressed(struct search *search, bool *found, uint64_t end)
{
    STATUS_RETURN_IF_ERROR(try_block(search, found, search->start, end));
    unsigned tried = 0;
    for (uint64_t at = end - SEGMENT_FRAME_BYTES; !*found && at > search->start && tried < STARTS_MAX; at--) {
        if (at + 4 > end || coding_get_u32(search->bytes + at) != ZSTD_FRAME_MAGIC)
            continue;
        tried++;
        STATUS_RETURN_IF_ERROR(try_block(search, found, at, end));
    }
    return status_ok();
}

/* Whether a data block's frame could end at end: then try. */
static struct kvs_status try_frame(struct search *search, uint64_t end)
{
    const uint8_t *frame = search->bytes + end - SEGMENT_FRAME_BYTES;
    uint32_t raw_size = coding_get_u32(frame + 2);
    bool found = false;
    if (frame[0] != SEGMENT_BLOCK_DATA || raw_size == 0 || raw_size > SEGMENT_DATA_MAX_BYTES)
        return status_ok();
    if (frame[1] == SEGMENT_CODEC_ZSTD)
        return try_compressed(search, &found, end);
    uint64_t rest = end - SEGMENT_FRAME_BYTES - search->start;
    if (frame[1] != SEGMENT_CODEC_NONE || raw_size > rest)
        return status_ok();
    return try_block(search, &found, end - SEGMENT_FRAME_BYTES - raw_size, end);
}

/* Where the data blocks end, if the footer can still tell. */
static bool data_end(const struct search *search, uint64_t *end)
{
    struct segment_footer footer;
    if (search->size < FILE_HEADER_BYTES + SEGMENT_FOOTER_BYTES)
        return false;
    uint64_t offset = search->size - SEGMENT_FOOTER_BYTES;
    if (!status_is_ok(segment_footer_decode(&footer, search->bytes + offset, search->salvage->file_id, offset,
                                            search->salvage->path)))
        return false;
    *end = footer.filter.offset;
    return true;
}

static struct kvs_status note_no_loss(struct search *search)
{
    struct repair_finding finding = {.part = REPAIR_SEGMENT, .end = search->size};
    repair_report_cut(search->report, search->first_finding); /* holes without entries: parts that are made anew */
    snprintf(finding.file, sizeof finding.file, "%s", search->salvage->name);
    snprintf(finding.what, sizeof finding.what, "damage outside the data blocks: all %" PRIu64 " entries can be read",
             search->salvage->entries);
    return repair_report_add(search->report, &finding);
}

static void note_missing_entries(struct search *search, uint64_t expected)
{
    uint64_t missing = expected > search->salvage->entries ? expected - search->salvage->entries : 0;
    if (search->report->finding_count > search->first_finding)
        search->report->findings[search->first_finding].entries = missing;
}

static struct kvs_status finish(struct search *search)
{
    uint64_t end = search->size;
    bool knows_end = data_end(search, &end);
    bool is_whole = search->meta != NULL
                        ? search->salvage->entries == search->meta->entry_count
                        : knows_end && search->start == end && search->report->finding_count == search->first_finding;
    if (is_whole)
        return search->meta == NULL ? status_ok() : note_no_loss(search);
    /* Where the file was cut between two blocks, nothing but what is missing tells of it. */
    if (search->start < end || search->report->finding_count == search->first_finding) {
        struct kvs_slice last = search->meta == NULL ? slice_of(NULL, 0) : search->meta->largest.user;
        STATUS_RETURN_IF_ERROR(note_hole(search, end, last));
    }
    if (search->meta != NULL)
        note_missing_entries(search, search->meta->entry_count);
    return status_ok();
}

static struct kvs_status search_all(struct search *search)
{
    uint64_t least = search->start + SEGMENT_FRAME_BYTES + 1;
    for (uint64_t end = least; end <= search->size; end++) {
        if (end < search->start + SEGMENT_FRAME_BYTES + 1)
            continue;
        STATUS_RETURN_IF_ERROR(try_frame(search, end));
    }
    return finish(search);
}

/* ---- The file ---- */

static struct kvs_status read_whole(struct io_file *file, uint8_t **bytes, uint64_t size, const char *path)
{
    uint8_t *made = malloc(size + 1);
    if (made == NULL)
        return STATUS(KVS_NO_MEMORY, "%s: no memory for its %" PRIu64 " bytes", path, size);
    for (uint64_t done = 0; done < size;) {
        size_t piece = size - done < READ_BYTES ? (size_t)(size - done) : READ_BYTES, read_bytes = 0;
        struct kvs_status status = io_file_read(file, made + done, &read_bytes, piece, done);
        if (status_is_ok(status) && read_bytes < piece)
            status = STATUS(KVS_IO, "%s: offset %" PRIu64 ": the file became shorter while it was read", path, done);
        if (!status_is_ok(status)) {
            free(made);
            return status;
        }
        done += piece;
    }
    *bytes = made;
    return status_ok();
}

/* The file as a whole is lost, or some of it is known to be another's. */
static struct kvs_status lose_all(struct segment_salvage *salvage, const struct segment_meta *meta,
                                  struct repair_report *report, uint64_t size, const char *what)
{
    struct repair_finding finding = {.part = REPAIR_SEGMENT, .end = size, .is_lost = true};
    snprintf(finding.file, sizeof finding.file, "%s", salvage->name);
    snprintf(finding.what, sizeof finding.what, "%s", what);
    if (meta != NULL) {
        finding.has_keys = true;
        finding.first_key = meta->smallest.user;
        finding.last_key = meta->largest.user;
        finding.entries = meta->entry_count;
    }
    return repair_report_add(report, &finding);
}

/* The id of the file: the manifest's word, or its own header's. */
static bool find_file_id(struct segment_salvage *salvage, const struct segment_meta *meta, const uint8_t *bytes,
                         uint64_t size)
{
    struct file_header header;
    if (meta != NULL) {
        salvage->file_id = meta->file_id;
        return true;
    }
    if (!status_is_ok(file_header_decode(&header, bytes, size, FILE_SEGMENT, salvage->path)))
        return false;
    salvage->file_id = header.file_id;
    return true;
}

static struct kvs_status search_file(struct segment_salvage *salvage, const struct segment_meta *meta,
                                     struct repair_report *report)
{
    uint8_t *bytes = NULL;
    uint64_t size;
    STATUS_RETURN_IF_ERROR(io_file_size(salvage->file, &size));
    STATUS_RETURN_IF_ERROR(read_whole(salvage->file, &bytes, size, salvage->path));
    struct search search = {.salvage = salvage,
                            .report = report,
                            .meta = meta,
                            .bytes = bytes,
                            .size = size,
                            .start = FILE_HEADER_BYTES,
                            .first_finding = report->finding_count};
    struct kvs_status status;
    if (!find_file_id(salvage, meta, bytes, size))
        status =
            lose_all(salvage, meta, report, size, "its header, without which no block can be verified, is damaged");
    else if (size <= FILE_HEADER_BYTES)
        status = lose_all(salvage, meta, report, size, "the file is shorter than its header");
    else
        status = search_all(&search);
    open_block_fini(&search.open);
    buffer_fini(&search.last_key);
    free(bytes);
    return status;
}

struct kvs_status segment_salvage_new(struct segment_salvage **salvage, struct io *io, const char *folder,
                                      uint64_t number, const struct segment_meta *meta, struct repair_report *report)
{
    struct segment_salvage *made = calloc(1, sizeof *made);
    if (made == NULL)
        return STATUS(KVS_NO_MEMORY, "no memory to salvage a segment");
    file_name_print(made->name, FILE_SEGMENT, number);
    struct kvs_status status = file_name_path(made->path, folder, FILE_SEGMENT, number);
    if (status_is_ok(status))
        status = io_file_open(io, &made->file, made->path, IO_OPEN_READ);
    if (status.code == KVS_NOT_FOUND)
        status = lose_all(made, meta, report, 0, "the file is missing");
    else if (status_is_ok(status))
        status = search_file(made, meta, report);
    if (!status_is_ok(status) || made->count == 0) {
        segment_salvage_free(made);
        made = NULL;
    }
    if (status_is_ok(status))
        *salvage = made;
    return status;
}

void segment_salvage_free(struct segment_salvage *salvage)
{
    if (salvage == NULL)
        return;
    io_file_close(salvage->file);
    free(salvage->extents);
    free(salvage);
}

uint64_t segment_salvage_entries(const struct segment_salvage *salvage)
{
    return salvage->entries;
}

uint64_t segment_salvage_largest_sequence(const struct segment_salvage *salvage)
{
    return salvage->largest_sequence;
}

/* ---- Reading what was found ---- */

struct salvage_stream {
    struct entry_stream base;
    struct segment_salvage *salvage;
    size_t next_block;
    struct buffer stored;
    struct open_block open;
    struct block_iterator inner;
};

static struct kvs_status enter_block(struct salvage_stream *stream)
{
    struct segment_extent extent = stream->salvage->extents[stream->next_block++];
    size_t read_bytes = 0;
    bool is_block = false;
    buffer_clear(&stream->stored);
    STATUS_RETURN_IF_ERROR(buffer_reserve(&stream->stored, extent.size));
    STATUS_RETURN_IF_ERROR(
        io_file_read(stream->salvage->file, stream->stored.data, &read_bytes, extent.size, extent.offset));
    if (read_bytes == extent.size)
        STATUS_RETURN_IF_ERROR(open_bytes(stream->salvage, &is_block, &stream->open, stream->stored.data, extent));
    if (!is_block)
        return STATUS(KVS_CORRUPT, "%s: offset %" PRIu64 ": a block that verified a moment ago does not any more",
                      stream->salvage->path, extent.offset);
    block_iterator_set(&stream->inner, &stream->open.block);
    return block_iterator_first(&stream->inner);
}

static struct kvs_status salvage_next(struct entry_stream *base)
{
    struct salvage_stream *stream = (struct salvage_stream *)base;
    if (base->valid)
        STATUS_RETURN_IF_ERROR(block_iterator_next(&stream->inner));
    while (!stream->inner.base.valid && stream->next_block < stream->salvage->count)
        STATUS_RETURN_IF_ERROR(enter_block(stream));
    base->valid = stream->inner.base.valid;
    base->key = stream->inner.base.key;
    base->value = stream->inner.base.value;
    return status_ok();
}

static void salvage_stream_free(struct entry_stream *base)
{
    struct salvage_stream *stream = (struct salvage_stream *)base;
    block_iterator_fini(&stream->inner);
    open_block_fini(&stream->open);
    buffer_fini(&stream->stored);
    free(stream);
}

struct kvs_status segment_salvage_stream(struct entry_stream **stream, struct segment_salvage *salvage)
{
    struct salvage_stream *made = calloc(1, sizeof *made);
    if (made == NULL)
        return STATUS(KVS_NO_MEMORY, "%s: no memory to read it", salvage->path);
    made->base = (struct entry_stream){.next = salvage_next, .free = salvage_stream_free};
    made->salvage = salvage;
    block_iterator_init(&made->inner);
    *stream = &made->base;
    return status_ok();
}
