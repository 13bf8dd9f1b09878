package io.sluice.amqp091.codec;

import io.netty.buffer.ByteBuf;

/** A method with its arguments (AMQP 0-9-1, section 1.3 of the generated reference). */
public sealed interface Method
        permits ConnectionMethod,
                ChannelMethod,
                AccessMethod,
                ExchangeMethod,
                QueueMethod,
                BasicMethod,
                ConfirmMethod,
                TxMethod {
    /** Class number in the upper, method number in the lower 16 bits. */
    int id();

    /** Writes the arguments. */
    void encode(ByteBuf out);

    /**
     * Reads the arguments of the method with this id.
     *
     * @throws AmqpException COMMAND_INVALID for an unknown method, SYNTAX_ERROR for bad arguments
     */
    static Method decode(int id, ByteBuf in) {
        int method = id & 0xFFFF;
        Method decoded = switch (id >>> 16) {
            case Protocol.CLASS_CONNECTION -> ConnectionMethod.decode(method, in);
            case Protocol.CLASS_CHANNEL -> ChannelMethod.decode(method, in);
            case Protocol.CLASS_ACCESS -> AccessMethod.decode(method, in);
            case Protocol.CLASS_EXCHANGE -> ExchangeMethod.decode(method, in);
            case Protocol.CLASS_QUEUE -> QueueMethod.decode(method, in);
            case Protocol.CLASS_BASIC -> BasicMethod.decode(method, in);
            case Protocol.CLASS_CONFIRM -> ConfirmMethod.decode(method, in);
            case Protocol.CLASS_TX -> TxMethod.decode(method);
            default -> throw unknown(id);
        };
        if (in.isReadable()) {
            throw tooLong(id, in);
        }
        return decoded;
    }

    /** The refusal of what stands behind the arguments of a method. */
    static AmqpException tooLong(int id, ByteBuf rest) {
        return new AmqpException(
                ReplyCode.SYNTAX_ERROR, rest.readableBytes() + " bytes after the arguments of method " + name(id));
    }

    /** {@code class.method} in numbers, for messages. */
    static String name(int id) {
        return (id >>> 16) + "." + (id & 0xFFFF);
    }

    /** The refusal of a method that the protocol does not have. */
    static AmqpException unknown(int id) {
        return new AmqpException(ReplyCode.COMMAND_INVALID, "unknown method " + name(id));
    }
}
