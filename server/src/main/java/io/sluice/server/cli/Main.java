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
        CommandLine defaults = new CommandLine(new SluiceCommand());
        System.exit(run(defaults.getOut(), defaults.getErr(), args));
    }

    static int run(PrintWriter out, PrintWriter err, String... args) {
        return new CommandLine(new SluiceCommand())
                .setOut(out)
                .setErr(err)
                .setExecutionExceptionHandler((error, command, parsed) -> {
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
