package io.sluice.server.cli;

import io.sluice.server.StartException;
import io.sluice.server.config.ConfigException;
import java.io.PrintWriter;
import picocli.CommandLine;

/** Entry point of the product. */
public final class Main {
    private Main() {}

    /** Runs a command and ends the process with its exit code. */
    public static void main(String[] args) {
        System.exit(run(args));
    }

    static int run(String... args) {
        return new CommandLine(new SluiceCommand())
                .setExecutionExceptionHandler((error, command, parsed) -> {
                    PrintWriter err = command.getErr();
                    if (error instanceof ConfigException || error instanceof StartException) {
                        err.println("sluice: " + error.getMessage());
                        return ExitCodes.CONFIG;
                    }
                    if (error instanceof CommandFailedException) {
                        err.println("sluice: " + error.getMessage());
                        return ExitCodes.SOFTWARE;
                    }
                    err.println("sluice: unexpected error; please report this with the lines below");
                    error.printStackTrace(err);
                    return ExitCodes.SOFTWARE;
                })
                .execute(args);
    }
}
