package io.sluice.server.tour;

/** Something the tour promised did not happen. The message says what. */
public final class TourFailedException extends Exception {
    private static final long serialVersionUID = 1L;

    TourFailedException(String message) {
        super(message);
    }

    TourFailedException(String message, Throwable cause) {
        super(message, cause);
    }
}
