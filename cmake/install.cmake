# What `cmake --install build/release` lays down: programs, libraries, headers, pkg-config files, CMake package.

include(CMakePackageConfigHelpers)

foreach(program kvstore_server kvstore_client kvstore_tool)
    if(TARGET ${program})
        install(TARGETS ${program} RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
    endif()
endforeach()

# kvs_private_libraries(OUT PACKAGES...): the linker options of PkgConfig::<package>..., for those who link the archive.
function(kvs_private_libraries out)
    set(options "")
    foreach(package IN LISTS ARGN)
        # xxhash is used as a header only; the archive has it inside.
        if(package MATCHES "^PkgConfig::(.*)$" AND NOT CMAKE_MATCH_1 STREQUAL "xxhash")
            list(APPEND options ${${CMAKE_MATCH_1}_STATIC_LDFLAGS})
        endif()
    endforeach()
    # The linker looks in the system's folders by itself.
    list(FILTER options EXCLUDE REGEX "^-L(/usr)?/lib(/${CMAKE_LIBRARY_ARCHITECTURE})?$")
    list(REMOVE_DUPLICATES options)
    set(${out} ${options} PARENT_SCOPE)
endfunction()

# kvs_install_library(NAME): the pkg-config file finds its prefix from its own place, so a copied tree works too.
function(kvs_install_library name)
    get_target_property(headers lib_${name} KVS_HEADERS)
    get_target_property(packages lib_${name} KVS_PACKAGES)
    get_target_property(KVS_PC_DESCRIPTION lib_${name} KVS_DESCRIPTION)
    kvs_private_libraries(private ${packages})
    list(JOIN private " " KVS_PC_LIBS_PRIVATE)
    set(KVS_PC_NAME ${name})
    set(pkgconfig_dir ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
    file(RELATIVE_PATH KVS_PC_PREFIX /any/${pkgconfig_dir} /any)
    string(REGEX REPLACE "/$" "" KVS_PC_PREFIX ${KVS_PC_PREFIX})
    configure_file(${PROJECT_SOURCE_DIR}/cmake/library.pc.in ${PROJECT_BINARY_DIR}/${name}.pc @ONLY)

    install(TARGETS lib_${name} LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
    install(FILES ${CMAKE_ARCHIVE_OUTPUT_DIRECTORY}/lib${name}.a DESTINATION ${CMAKE_INSTALL_LIBDIR})
    install(FILES ${headers} DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
    install(FILES ${PROJECT_BINARY_DIR}/${name}.pc DESTINATION ${pkgconfig_dir})
endfunction()

get_property(kvs_libraries GLOBAL PROPERTY KVS_LIBRARIES)
foreach(kvs_name IN LISTS kvs_libraries)
    kvs_install_library(${kvs_name})
endforeach()

if("kvstore" IN_LIST kvs_libraries)
    get_target_property(kvs_packages lib_kvstore KVS_PACKAGES)
    kvs_private_libraries(KVS_STATIC_LIBRARIES ${kvs_packages})
    set(KVS_LIBDIR ${CMAKE_INSTALL_LIBDIR})
    set(KVS_INCLUDEDIR ${CMAKE_INSTALL_INCLUDEDIR})
    set(kvs_package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/kvstore)
    configure_package_config_file(${PROJECT_SOURCE_DIR}/cmake/kvstoreConfig.cmake.in
        ${PROJECT_BINARY_DIR}/kvstoreConfig.cmake
        INSTALL_DESTINATION ${kvs_package_dir}
        PATH_VARS KVS_LIBDIR KVS_INCLUDEDIR)
    write_basic_package_version_file(${PROJECT_BINARY_DIR}/kvstoreConfigVersion.cmake COMPATIBILITY SameMinorVersion)
    install(FILES ${PROJECT_BINARY_DIR}/kvstoreConfig.cmake ${PROJECT_BINARY_DIR}/kvstoreConfigVersion.cmake
        DESTINATION ${kvs_package_dir})
endif()
