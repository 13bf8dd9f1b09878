package io.sluice.amqp091.session;

import io.sluice.amqp091.codec.AmqpException;
import io.sluice.amqp091.codec.Method;

/** What the parts of a channel see of it. Confined to the connection's loop. */
public interface ChannelContext {
    int number();

    void reply(Method method);

    /**
     * The name of a queue; an empty one stands for the queue that the channel declared last.
     *
     * @throws AmqpException NOT_FOUND if it has declared none
     */
    String resolve(String queue);
}
