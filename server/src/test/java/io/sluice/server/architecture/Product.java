package io.sluice.server.architecture;

import com.tngtech.archunit.core.domain.JavaClasses;
import com.tngtech.archunit.core.domain.JavaPackage;
import com.tngtech.archunit.core.importer.ClassFileImporter;
import com.tngtech.archunit.core.importer.ImportOption;

/** All classes of the product, read once. */
final class Product {
    static final JavaClasses CLASSES = new ClassFileImporter()
            .withImportOption(ImportOption.Predefined.DO_NOT_INCLUDE_TESTS)
            .withImportOption(location -> !location.contains("/test-classes/"))
            .importPackages("io.sluice");

    private Product() {}

    static String[] documentedPackages() {
        return CLASSES.getPackage("io.sluice").getSubpackagesInTree().stream()
                .filter(javaPackage -> javaPackage.tryGetPackageInfo().isPresent())
                .map(JavaPackage::getName)
                .toArray(String[]::new);
    }
}
