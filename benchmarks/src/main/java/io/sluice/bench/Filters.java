package io.sluice.bench;

/** How MQTT topic filters are written. Filter {@code i} takes {@link #topic topic(i)}. */
public enum Filters {
    /** {@code site/i/temperature}. */
    EXACT,
    /** {@code site/+/i}: all share the level above. */
    PLUS,
    /** {@code site/i/#}. */
    HASH,
    /** The three in equal parts. */
    MIXED;

    /** A topic that filter {@code i} takes. */
    String topic(int i) {
        return form(i) == PLUS ? "site/line/" + i : "site/" + i + "/temperature";
    }

    /** Filter {@code i}. */
    String filter(int i) {
        return switch (form(i)) {
            case PLUS -> "site/+/" + i;
            case HASH -> "site/" + i + "/#";
            default -> topic(i);
        };
    }

    private Filters form(int i) {
        return this == MIXED ? values()[i % 3] : this;
    }
}
