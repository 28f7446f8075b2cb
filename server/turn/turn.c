#include "turn/turn_internal.h"

#include "base/assert.h"
#include "command/command.h"

/* The share of one session in one turn; what is left runs in the next. */
enum { TURN_COMMANDS = 256, TURN_BYTES = 1 << 20 };

void turn_init(struct turn *turn, struct shared *shared, const struct turn_ops *ops)
{
    *turn = (struct turn){.ops = *ops};
    turn->loop.shared = shared;
    turn->loop.ready = turn_on_ready;
    turn->loop.ready_context = turn;
    batch_pool_init(&turn->loop.batches);
    TAILQ_INIT(&turn->running);
    TAILQ_INIT(&turn->waiting);
    TAILQ_INIT(&turn->gated);
    TAILQ_INIT(&turn->flush);
}

void turn_fini(struct turn *turn)
{
    KVS_ASSERT(TAILQ_EMPTY(&turn->running) && TAILQ_EMPTY(&turn->waiting) && TAILQ_EMPTY(&turn->gated));
    batch_pool_fini(&turn->loop.batches);
}

/* ---- Queues ---- */

void turn_enqueue(struct session_queue *queue, struct session *session)
{
    KVS_ASSERT(session->queue == NULL);
    TAILQ_INSERT_TAIL(queue, session, link);
    session->queue = queue;
}

void turn_dequeue(struct session *session)
{
    if (session->queue != NULL)
        TAILQ_REMOVE(session->queue, session, link);
    session->queue = NULL;
}

void turn_resume(struct turn *turn, struct session *session)
{
    session_move(session, SESSION_RUNNING);
    turn_enqueue(&turn->running, session);
}

void turn_touch(struct turn *turn, struct session *session)
{
    if (session->is_to_flush)
        return;
    TAILQ_INSERT_TAIL(&turn->flush, session, flush_link);
    session->is_to_flush = true;
}

struct session *turn_next_to_flush(struct turn *turn)
{
    struct session *session = TAILQ_FIRST(&turn->flush);
    if (session == NULL)
        return NULL;
    TAILQ_REMOVE(&turn->flush, session, flush_link);
    session->is_to_flush = false;
    return session;
}

void turn_remove(struct turn *turn, struct session *session)
{
    turn_dequeue(session);
    if (session->is_gated)
        TAILQ_REMOVE(&turn->gated, session, gate_link);
    if (session->is_to_flush)
        TAILQ_REMOVE(&turn->flush, session, flush_link);
    session->is_gated = session->is_to_flush = false;
}

/* ---- Events ---- */

void turn_input(struct turn *turn, struct session *session)
{
    if (session->state == SESSION_IDLE)
        turn_resume(turn, session);
    turn_touch(turn, session);
}

void turn_job_back(struct turn *turn, struct session *session)
{
    session->job_is_back = true;
    turn_resume(turn, session);
}

void turn_drained(struct turn *turn, struct session *session)
{
    if (session->state == SESSION_DRAIN)
        turn_resume(turn, session);
}

/* ---- Execution ---- */

/* The next request of the input, if a whole one is there; it is then session->request until it is consumed. */
static bool find_request(struct session *session)
{
    struct byte_buffer *input = &session->input;
    if (session->has_request) { /* the bytes may have moved as more came in */
        session->request.base = byte_buffer_data(input) + session->request_offset;
        return true;
    }
    enum request_result result = request_parser_next(&session->parser, &session->request, &session->request_size,
                                                     byte_buffer_data(input), byte_buffer_size(input));
    session->request_result = result;
    if (result == REQUEST_MORE) {
        byte_buffer_consume(input, session->request_size);
        return false;
    }
    session->has_request = true;
    if (result == REQUEST_READY)
        session->request_offset = (size_t)(session->request.base - byte_buffer_data(input));
    return true;
}

static void consume_request(struct session *session)
{
    byte_buffer_consume(&session->input, session->request_size);
    session->has_request = false;
    session->requests++;
    session->commands_left -= session->commands_left != 0;
    session->bytes_left -= session->request_size < session->bytes_left ? session->request_size : session->bytes_left;
}

static enum command_outcome execute_request(struct session *session)
{
    struct reply_writer *writer = &session->output.writer;
    if (session->request_result == REQUEST_READY)
        return command_execute(session, &session->request);
    if (session->batch != NULL)
        return COMMAND_AFTER_APPLY;
    if (session->request_result == REQUEST_HANGUP)
        return COMMAND_CLOSE;
    enum reply_encoding encoding = session->is_resp3 ? REPLY_RESP3 : REPLY_RESP2;
    reply_writer_set_encoding(writer, session->request.is_text ? REPLY_TEXT : encoding);
    reply_error(writer, "ERR", session->request.error);
    return session->request_result == REQUEST_REFUSED ? COMMAND_DONE : COMMAND_CLOSE;
}

static void submit(struct turn *turn, struct session *session)
{
    session_move(session, SESSION_JOB);
    session->job_is_back = false;
    session->job->status = (struct kvs_status){.code = KVS_OK};
    shared_count(&session->shared->jobs, 1);
    turn->ops.submit(turn->ops.context, session);
}

/* The engine does not admit the job's write. */
static void wait_for_ready(struct turn *turn, struct session *session)
{
    session->job_is_back = true;
    turn_await_ready(turn, session);
}

/* The job has run, or is to run on. */
static void execute_job(struct turn *turn, struct session *session)
{
    enum job_next next = JOB_AGAIN;
    if (session->job_is_back)
        next = session->job->finish(session->job, session);
    session->job_is_back = false;
    switch (next) {
    case JOB_DONE:
        turn_end_wait(session);
        session->job->free(session->job);
        session->job = NULL;
        break;
    case JOB_AGAIN:
        if (output_size(&session->output) > SESSION_OUTPUT_MARK)
            session_move(session, SESSION_DRAIN);
        else
            submit(turn, session);
        break;
    case JOB_AFTER_READY:
        wait_for_ready(turn, session);
        break;
    }
}

/* Reads that follow may share the job of the one that began it. */
static void start_job(struct turn *turn, struct session *session)
{
    while (session->commands_left != 0 && find_request(session) && session->request_result == REQUEST_READY &&
           command_join(session, &session->request))
        consume_request(session);
    submit(turn, session);
}

/* Executes the request at hand. False: not before the session's batch is applied. */
static bool execute_next(struct turn *turn, struct session *session)
{
    enum command_outcome outcome = execute_request(session);
    if (outcome == COMMAND_AFTER_APPLY)
        return false;
    if (outcome == COMMAND_AFTER_PUBLISH) {
        session_move(session, SESSION_PUBLISH);
        turn_gate(turn, session);
        return true;
    }
    consume_request(session);
    switch (outcome) {
    case COMMAND_DONE:
        session_seal(session, 1);
        break;
    case COMMAND_JOB:
        start_job(turn, session);
        break;
    case COMMAND_AFTER_READY:
        wait_for_ready(turn, session);
        break;
    case COMMAND_CLOSE:
        session_seal(session, 1);
        session_move(session, SESSION_CLOSING);
        break;
    default:
        break; /* batched */
    }
    return true;
}

/* Executes until the session has to wait for something, or its share is used up. */
static void execute_session(struct turn *turn, struct session *session)
{
    while (session->state == SESSION_RUNNING && session->commands_left != 0 && session->bytes_left != 0) {
        if (session->is_broken) {
            session_move(session, SESSION_CLOSING);
        } else if (session->job != NULL) {
            execute_job(turn, session);
        } else if (session->batch == NULL && output_size(&session->output) > SESSION_OUTPUT_MARK) {
            session_move(session, SESSION_DRAIN);
        } else if (find_request(session)) {
            if (!execute_next(turn, session))
                return;
        } else if (session->batch != NULL) {
            return;
        } else {
            session_move(session, session->is_ended ? SESSION_CLOSING : SESSION_IDLE);
        }
    }
}

static void run_session(struct turn *turn, struct session *session)
{
    uint64_t before = session->requests;
    if (session->batch == NULL) /* else it was not admitted last time */
        execute_session(turn, session);
    turn->requests += session->requests - before;
    if (session->state == SESSION_RUNNING)
        turn_enqueue(&turn->running, session);
    if (session->batch != NULL) {
        turn->writers[turn->writer_count++] = session;
        if (turn->writer_count == TURN_WRITERS)
            turn_apply(turn);
    }
    turn_gate(turn, session);
    turn_touch(turn, session);
}

static bool has_share(const struct session *session)
{
    return session->commands_left != 0 && session->bytes_left != 0;
}

/* One round. True: another one has something to do in this turn. */
static bool run_round(struct turn *turn)
{
    struct session_queue round = TAILQ_HEAD_INITIALIZER(round);
    struct session *session;
    bool more = false;
    TAILQ_CONCAT(&round, &turn->running, link);
    while ((session = TAILQ_FIRST(&round)) != NULL) {
        TAILQ_REMOVE(&round, session, link);
        session->queue = NULL;
        if (has_share(session))
            run_session(turn, session);
        else
            turn_enqueue(&turn->running, session);
    }
    turn_apply(turn);
    TAILQ_FOREACH(session, &turn->running, link)
    more = more || has_share(session);
    return more;
}

bool turn_run(struct turn *turn)
{
    struct session *session;
    /* Who waited for admission goes before who comes fresh. */
    struct session_queue fresh = TAILQ_HEAD_INITIALIZER(fresh);
    turn_release(turn);
    TAILQ_CONCAT(&fresh, &turn->running, link);
    turn_admit(turn);
    TAILQ_CONCAT(&turn->running, &fresh, link);
    TAILQ_FOREACH(session, &turn->running, link)
    {
        session->commands_left = TURN_COMMANDS;
        session->bytes_left = TURN_BYTES;
    }
    for (bool more = !TAILQ_EMPTY(&turn->running); more;)
        more = run_round(turn);
    turn_request(turn);
    if (turn->requests != 0)
        shared_count(&turn->loop.shared->commands, turn->requests);
    turn->requests = 0;
    return !TAILQ_EMPTY(&turn->running);
}
