package io.sluice.kafka.fetch;

import io.sluice.kafka.connection.ApiHandler;
import io.sluice.kafka.connection.Request;
import io.sluice.kafka.convert.Topics;
import java.util.List;
import java.util.concurrent.Executor;
import java.util.concurrent.atomic.AtomicInteger;
import org.apache.kafka.common.message.FetchRequestData;
import org.apache.kafka.common.message.FetchResponseData;
import org.apache.kafka.common.protocol.Errors;
import org.apache.kafka.common.requests.FetchRequest;
import org.apache.kafka.common.requests.FetchResponse;
import org.jspecify.annotations.Nullable;

/** Fetch: finds the session, then leaves the request to a {@link PendingFetch}. */
public final class FetchHandler implements ApiHandler {
    private static final int FINAL_EPOCH = -1;

    private final Topics topics;
    private final Executor readerPool;
    private final int maxBytes;
    private final int maxSessions;
    private final AtomicInteger sessions = new AtomicInteger();
    private final AtomicInteger nextSessionId = new AtomicInteger(1);

    /**
     * Makes a handler.
     *
     * @param readerPool where cold data is read ahead of {@code sendfile}
     * @param maxBytes bound on a response, bytes
     * @param maxSessions bound on sessions over all connections
     */
    public FetchHandler(Topics topics, Executor readerPool, int maxBytes, int maxSessions) {
        this.topics = topics;
        this.readerPool = readerPool;
        this.maxBytes = maxBytes;
        this.maxSessions = maxSessions;
    }

    @Override
    public void handle(Request request) {
        FetchRequestData data = request.body(FetchRequest.class).data();
        if (data.maxWaitMs() <= 0
                || data.sessionEpoch() == FINAL_EPOCH && data.topics().isEmpty()) {
            // such as the last one of a consumer that closes, which must not queue behind its own waiting fetch
            request.endEarlierWaits();
        }
        SessionSlot slot = request.state().get(SessionSlot.class, () -> new SessionSlot(request));
        int id = data.sessionId();
        int epoch = data.sessionEpoch();
        FetchSession session = slot.session;
        if (epoch == 0 || epoch == FINAL_EPOCH) {
            if (id != 0) {
                slot.drop(id);
            }
            session = epoch == 0 ? slot.open() : null;
            if (session != null) {
                session.update(data);
            }
            List<FetchSession.Entry> entries = session == null ? FetchSession.list(data) : session.entries();
            new PendingFetch(request, data, topics, readerPool, maxBytes, session, entries, true).start();
            return;
        }
        if (session == null || session.id() != id) {
            refuse(request, Errors.FETCH_SESSION_ID_NOT_FOUND);
        } else if (!session.advance(epoch)) {
            refuse(request, Errors.INVALID_FETCH_SESSION_EPOCH);
        } else {
            session.update(data);
            new PendingFetch(request, data, topics, readerPool, maxBytes, session, session.entries(), false).start();
        }
    }

    private static void refuse(Request request, Errors error) {
        request.respond(FetchResponse.of(new FetchResponseData().setErrorCode(error.code())));
    }

    /** The session of a connection. */
    private final class SessionSlot {
        private @Nullable FetchSession session;

        SessionSlot(Request request) {
            request.state().onClose(this::close);
        }

        /** Opens a session in place of the present one; null if there are too many. */
        @Nullable
        FetchSession open() {
            close();
            if (sessions.incrementAndGet() > maxSessions) {
                sessions.decrementAndGet();
                return null;
            }
            int id = nextSessionId.getAndUpdate(i -> i == Integer.MAX_VALUE ? 1 : i + 1);
            FetchSession opened = new FetchSession(id);
            session = opened;
            return opened;
        }

        void drop(int id) {
            if (session != null && session.id() == id) {
                close();
            }
        }

        private void close() {
            if (session != null) {
                session = null;
                sessions.decrementAndGet();
            }
        }
    }
}
