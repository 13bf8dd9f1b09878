package io.sluice.server.cli;

import picocli.CommandLine.IVersionProvider;

/** Version of the product, from the manifest of its jar. */
public final class Version implements IVersionProvider {
    /** The version, {@code development} when not run from a jar. */
    public static String text() {
        String version = Version.class.getPackage().getImplementationVersion();
        return version == null ? "development" : version;
    }

    @Override
    public String[] getVersion() {
        return new String[] {
            "sluice " + text(), "JDK " + Runtime.version() + " (" + System.getProperty("java.vendor") + ")"
        };
    }
}
