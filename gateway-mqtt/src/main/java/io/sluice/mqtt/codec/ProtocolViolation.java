package io.sluice.mqtt.codec;

/** A client broke the protocol; the connection ends with {@link #reason()}. Carries no stack trace. */
public final class ProtocolViolation extends RuntimeException {
    private static final long serialVersionUID = 1L;

    private final int reason;

    /** @param reason one of {@link ReasonCode} */
    public ProtocolViolation(int reason, String message) {
        super(message, null, false, false);
        this.reason = reason;
    }

    public int reason() {
        return reason;
    }
}
