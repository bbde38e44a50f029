# The engine as a library, and what `make install` puts where.
#
# Both libraries show what include/mete.h marks METE_API and nothing else. For the shared one hidden
# visibility is enough; the static one is a single object whose hidden symbols were made local, so
# that its journal_open() can never meet a program's.
# Before 1.0 a minor version may change structs of the header, hence the SONAME names it too.
include(GNUInstallDirs)

set(library_layers base os calendar ledger store engine) # what the engine stands on
add_library(library_codec OBJECT # and of codec what a row of the audit log is written with
  src/codec/decimal.c src/codec/json_scan.c src/codec/json_strip.c src/codec/timestamp.c)
set(library_objects $<TARGET_OBJECTS:library_codec>)
foreach(layer ${library_layers})
  list(APPEND library_objects $<TARGET_OBJECTS:mete_${layer}>)
endforeach()
set(library_packages sqlite3 libsodium libxxhash)
pkg_check_modules(METE_LIBRARY REQUIRED IMPORTED_TARGET ${library_packages})

add_library(libmete SHARED ${library_objects})
set_target_properties(libmete PROPERTIES OUTPUT_NAME mete LINKER_LANGUAGE C
  VERSION ${PROJECT_VERSION} SOVERSION ${PROJECT_VERSION_MAJOR}.${PROJECT_VERSION_MINOR})
target_link_libraries(libmete PRIVATE PkgConfig::METE_LIBRARY Threads::Threads)
target_link_options(libmete PRIVATE -Wl,--no-undefined -Wl,--as-needed)

set(one_object -r -nostdlib)
if(CMAKE_C_COMPILER_ID STREQUAL GNU)
  list(APPEND one_object -flinker-output=nolto-rel) # machine code, also of objects made by -flto
endif()
set(static_library ${CMAKE_BINARY_DIR}/libmete.a)
set(static_object ${CMAKE_BINARY_DIR}/libmete.o)
add_custom_command(OUTPUT ${static_library}
  COMMAND ${CMAKE_C_COMPILER} ${one_object} -o ${static_object} ${library_objects}
  COMMAND ${CMAKE_OBJCOPY} --localize-hidden ${static_object}
  COMMAND ${CMAKE_COMMAND} -E rm -f ${static_library}
  COMMAND ${CMAKE_AR} qcs ${static_library} ${static_object}
  DEPENDS ${library_objects} COMMAND_EXPAND_LISTS VERBATIM)
add_custom_target(libmete_static ALL DEPENDS ${static_library})

set(manual ${CMAKE_BINARY_DIR}/man)
file(GLOB manual_sources CONFIGURE_DEPENDS docs/man/*.in)
add_custom_command(OUTPUT ${manual}/made
  COMMAND ${CMAKE_SOURCE_DIR}/tools/man $<TARGET_FILE:mete> ${manual}
  COMMAND ${CMAKE_COMMAND} -E touch ${manual}/made
  DEPENDS mete ${manual_sources} tools/man include/mete.h tables/errors.h VERBATIM)
add_custom_target(manual ALL DEPENDS ${manual}/made)

# What a user needs, without the tests and their packages.
add_custom_target(product DEPENDS mete libmete libmete_static manual)

# mete.pc finds its prefix from where it lies, so that a tree may be staged and moved.
set(package_folder ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
file(RELATIVE_PATH package_prefix /prefix/${package_folder} /prefix)
string(REGEX REPLACE "/$" "" package_prefix ${package_prefix})
list(JOIN library_packages ", " package_requires)
configure_file(cmake/mete.pc.in mete.pc @ONLY)

install(TARGETS mete RUNTIME)
install(TARGETS libmete LIBRARY)
install(FILES ${static_library} DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(FILES include/mete.h DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(FILES ${CMAKE_BINARY_DIR}/mete.pc DESTINATION ${package_folder})
install(DIRECTORY ${manual}/man1 ${manual}/man3 DESTINATION ${CMAKE_INSTALL_MANDIR})
install(FILES src/cli/completion.bash RENAME mete
  DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions)
install(FILES LICENSE README.md README.zh-CN.md ARCHITECTURE.md DESTINATION ${CMAKE_INSTALL_DOCDIR})
install(DIRECTORY docs examples DESTINATION ${CMAKE_INSTALL_DOCDIR} PATTERN man EXCLUDE)
# The price list is linked into the command, and its licence goes where it goes.
install(FILES data/README.md data/LICENSE-litellm DESTINATION ${CMAKE_INSTALL_DOCDIR}/data)
