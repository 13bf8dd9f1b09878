package io.sluice.kafka.connection;

import io.netty.channel.EventLoop;
import io.sluice.access.Caller;
import io.sluice.log.LogException;
import java.net.InetSocketAddress;
import org.apache.kafka.common.requests.AbstractRequest;
import org.apache.kafka.common.requests.AbstractResponse;
import org.apache.kafka.common.requests.RequestContext;
import org.jspecify.annotations.Nullable;

/** One request of a connection. It is answered once; answers leave in the order of requests. */
public final class Request {
    private final ConnectionHandler connection;
    private final RequestContext context;
    private final AbstractRequest body;
    private final FrameReader frame;
    private boolean done;
    private @Nullable Runnable waitEnd;
    private @Nullable AbstractResponse response;

    Request(ConnectionHandler connection, RequestContext context, AbstractRequest body, FrameReader frame) {
        this.connection = connection;
        this.context = context;
        this.body = body;
        this.frame = frame;
    }

    /** The request as Kafka's codec decoded it; records are in {@link #frame}. */
    public <T extends AbstractRequest> T body(Class<T> type) {
        return type.cast(body);
    }

    public short version() {
        return context.header.apiVersion();
    }

    /** Header, connection id and peer, as Kafka's coordinators want them. */
    public RequestContext context() {
        return context;
    }

    /** Where the record sets of a produce request are. Valid during {@link ApiHandler#handle} only. */
    public FrameReader frame() {
        return frame;
    }

    public Caller caller() {
        return connection.caller();
    }

    /** State that a handler keeps per connection; see {@link ConnectionState}. */
    public ConnectionState state() {
        return connection.state();
    }

    /** Local address that the client reached. */
    public InetSocketAddress localAddress() {
        return connection.localAddress();
    }

    public EventLoop loop() {
        return connection.loop();
    }

    /**
     * Says that this request only waits for something better to answer: {@code end} runs when the client has asked for
     * something else meanwhile, and should answer with what there is. Null when it no longer waits. On the loop.
     */
    public void waits(@Nullable Runnable end) {
        if ((waitEnd == null) != (end == null)) {
            connection.waiting(end == null ? -1 : 1);
        }
        waitEnd = end;
    }

    /** Ends the waiting of the requests before this one, see {@link #waits}. On the loop. */
    public void endEarlierWaits() {
        connection.endWaits();
    }

    /** Answers. Any thread. */
    public void respond(AbstractResponse answer) {
        if (connection.loop().inEventLoop()) {
            connection.complete(this, answer);
        } else {
            connection.loop().execute(() -> connection.complete(this, answer));
        }
    }

    /** Answers with the error form of this request. Any thread. */
    public void fail(Throwable error) {
        AbstractResponse answer = body.getErrorResponse(error);
        if (answer == null) {
            closeConnection(error.toString());
        } else {
            respond(answer);
        }
    }

    /** Ends a request that has no answer (acks=0). On the loop. */
    public void respondNothing() {
        connection.complete(this, null);
    }

    /** Closes the connection: the only way to tell the client of an error where there is no answer. Any thread. */
    public void closeConnection(String why) {
        loop().execute(() -> connection.close(why));
    }

    /** Stops reading from the client until {@link #resumeReading}; calls nest. On the loop. */
    public void pauseReading() {
        connection.pause();
    }

    public void resumeReading() {
        connection.resume();
    }

    /** True once the connection is gone: nobody waits for the answer. On the loop. */
    public boolean isAbandoned() {
        return connection.isClosed();
    }

    void endWait() {
        Runnable end = waitEnd;
        if (end != null) {
            end.run();
        }
    }

    boolean isDone() {
        return done;
    }

    @Nullable
    AbstractResponse response() {
        return response;
    }

    void done(@Nullable AbstractResponse answer) {
        if (done) {
            throw new LogException(LogException.Reason.CLOSED, "request answered twice: " + context.header);
        }
        done = true;
        response = answer;
    }
}
