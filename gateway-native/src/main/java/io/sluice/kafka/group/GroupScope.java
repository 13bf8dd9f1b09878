package io.sluice.kafka.group;

/**
 * Names of a virtual host as the coordinator stores them, which knows one space of names: those of the default host as they
 * are, so that {@code __consumer_offsets} reads as everywhere; those of another host behind {@code NUL host NUL}. Group ids
 * that begin with NUL are refused, so no name of one host can look like one of another.
 *
 * @param prefix what stands before names of the host; empty for the default host
 */
record GroupScope(String prefix) {
    private static final String DEFAULT_HOST = "/";
    private static final char MARK = '\0';

    static GroupScope of(String vhost) {
        return new GroupScope(vhost.equals(DEFAULT_HOST) ? "" : MARK + vhost + MARK);
    }

    /** True if clients may give a group this name. */
    static boolean isValid(String name) {
        return name.isEmpty() || name.charAt(0) != MARK;
    }

    boolean isDefault() {
        return prefix.isEmpty();
    }

    /** The stored form of a name that a client gave. */
    String in(String name) {
        return isDefault() ? name : prefix + name;
    }

    /** The client's form of a stored name that is {@linkplain #owns owned}. */
    String out(String stored) {
        return stored.startsWith(prefix) ? stored.substring(prefix.length()) : stored;
    }

    /** True if a stored name is of this host. */
    boolean owns(String stored) {
        return isDefault() ? isValid(stored) : stored.startsWith(prefix);
    }
}
