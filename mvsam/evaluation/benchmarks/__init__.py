"""The paper's benchmarks: data sets as they lie on disk, methods, geometry, runs that resume, tables."""
