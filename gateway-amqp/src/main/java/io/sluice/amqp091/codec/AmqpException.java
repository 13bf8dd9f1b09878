package io.sluice.amqp091.codec;

/** A refusal in AMQP's terms; closes the channel or the connection depending on its code. Without stack trace. */
public final class AmqpException extends RuntimeException {
    private static final long serialVersionUID = 1L;

    private final ReplyCode code;
    private final boolean hard;

    public AmqpException(ReplyCode code, String text) {
        this(code, text, code.isHard());
    }

    private AmqpException(ReplyCode code, String text, boolean hard) {
        super(code.name() + " - " + text, null, false, false);
        this.code = code;
        this.hard = hard;
    }

    /** A refusal that closes the connection although its code is a soft one, as a refused login does. */
    public static AmqpException closingConnection(ReplyCode code, String text) {
        return new AmqpException(code, text, true);
    }

    public ReplyCode code() {
        return code;
    }

    public boolean isHard() {
        return hard;
    }
}
