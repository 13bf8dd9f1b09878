package io.sluice.server.cli;

/** Exit codes, as in BSD's {@code sysexits.h}. */
final class ExitCodes {
    static final int OK = 0;
    /** The command line is wrong. */
    static final int USAGE = 64;
    /** Something failed that should not have. */
    static final int SOFTWARE = 70;
    /** Settings or surroundings (port, directory) are wrong. */
    static final int CONFIG = 78;

    private ExitCodes() {}
}
