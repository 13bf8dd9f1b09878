package io.sluice.kafka.produce;

import io.sluice.io.Clock;
import io.sluice.kafka.connection.ApiHandler;
import io.sluice.kafka.connection.Request;
import java.util.concurrent.atomic.AtomicLong;
import org.apache.kafka.common.message.InitProducerIdResponseData;
import org.apache.kafka.common.protocol.Errors;
import org.apache.kafka.common.requests.InitProducerIdRequest;
import org.apache.kafka.common.requests.InitProducerIdResponse;

/**
 * InitProducerId for idempotent producers. Ids start at the time of the start in ms times 2^20, so that no id of an earlier
 * run comes again without anything being stored. Transactions are not offered. Thread-safe.
 */
public final class ProducerIds implements ApiHandler {
    private static final int SEQUENCE_BITS = 20;

    private final AtomicLong next;

    public ProducerIds(Clock clock) {
        next = new AtomicLong(clock.epochMillis() << SEQUENCE_BITS);
    }

    @Override
    public void handle(Request request) {
        InitProducerIdResponseData response = new InitProducerIdResponseData();
        if (request.body(InitProducerIdRequest.class).data().transactionalId() != null) {
            response.setErrorCode(Errors.TRANSACTIONAL_ID_AUTHORIZATION_FAILED.code())
                    .setProducerId(-1)
                    .setProducerEpoch((short) -1);
        } else {
            response.setProducerId(next.getAndIncrement()).setProducerEpoch((short) 0);
        }
        request.respond(new InitProducerIdResponse(response));
    }
}
