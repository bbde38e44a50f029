# What the system's packages bring (tools/packages names them).
find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)
pkg_check_modules(METE_PACKAGES REQUIRED IMPORTED_TARGET
  gnutls libcurl sqlite3 jansson yaml-0.1 libsodium libxxhash zlib)
add_library(mete_packages INTERFACE)
target_link_libraries(mete_packages INTERFACE PkgConfig::METE_PACKAGES Threads::Threads m)
