package io.sluice.server.config;

/** A setting that cannot be used. The message is one sentence for the operator: where it stands, what is wrong, what is right. */
public final class ConfigException extends RuntimeException {
    private static final long serialVersionUID = 1L;

    public ConfigException(String message) {
        super(message);
    }

    public ConfigException(String message, Throwable cause) {
        super(message, cause);
    }
}
