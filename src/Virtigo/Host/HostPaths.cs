namespace Virtigo.Host;

/// <summary>Every directory that Virtigo owns on the host. One place decides; nothing else builds such a path.</summary>
public sealed class HostPaths
{
    /// <summary>With the names of one guest's sockets below it, a path stays within what a unix socket may have.</summary>
    private const int LongestRuntimeBase = 70;

    /// <summary>Creates the set of paths.</summary>
    /// <param name="cache">Things that can be fetched or made again.</param>
    /// <param name="data">Images.</param>
    /// <param name="state">Reports of failures, learnt timings.</param>
    /// <param name="config">The user's configuration.</param>
    /// <param name="runtime">Sockets; short, since a unix socket's path has at most 107 bytes.</param>
    public HostPaths(string cache, string data, string state, string config, string runtime)
    {
        (Cache, Data, State, Config, Runtime) = (cache, data, state, config, runtime);
    }

    /// <summary>The root of everything that can be fetched or made again.</summary>
    public string Cache { get; }

    /// <summary>The root of what cannot be recreated without an install.</summary>
    public string Data { get; }

    /// <summary>Reports of failures, learnt timings.</summary>
    public string State { get; }

    /// <summary>The folder of the user's configuration.</summary>
    public string Config { get; }

    /// <summary>The folder for sockets.</summary>
    public string Runtime { get; }

    /// <summary>Downloaded files, addressed by their SHA-256.</summary>
    public string Pool => Path.Combine(Cache, "pool");

    /// <summary>Verified indices and installer builds, ready for use.</summary>
    public string Installers => Path.Combine(Cache, "installers");

    /// <summary>The image store.</summary>
    public string Images => Path.Combine(Data, "images");

    /// <summary>Snapshots of environments: made again when they are missing.</summary>
    public string Snapshots => Path.Combine(Data, "snapshots");

    /// <summary>What running environments have reserved of the host's memory.</summary>
    public string Budget => Path.Combine(State, "budget");

    /// <summary>Work in progress, on the same file system as the images so that sealing is a rename.</summary>
    public string Work => Path.Combine(Data, "work");

    /// <summary>Lock files, one per thing that only one process may change at a time. They are empty and stay.</summary>
    public string Locks => Path.Combine(Data, "locks");

    /// <summary>Which plan led to which image, so that a cached build needs neither network nor archive indices.</summary>
    public string Builds => Path.Combine(Cache, "builds");

    /// <summary>One folder per failed build.</summary>
    public string Reports => Path.Combine(State, "reports");

    /// <summary>The user's configuration file.</summary>
    public string ConfigFile => Path.Combine(Config, "config.yml");

    /// <summary>
    /// The paths for this user: <c>VIRTIGO_HOME</c> puts everything below one folder;
    /// otherwise the XDG base directories are used.
    /// </summary>
    public static HostPaths FromEnvironment() => FromEnvironment(Environment.GetEnvironmentVariable);

    internal static HostPaths FromEnvironment(Func<string, string?> variable)
    {
        string? Absolute(string name) => variable(name) is { Length: > 0 } value && Path.IsPathRooted(value) ? value : null;

        // The session's own folder, else one that only this user can have made; a shared /tmp only where the path would be too long.
        string Runtime(string state) =>
            Absolute("XDG_RUNTIME_DIR") is { } run && Directory.Exists(run) ? Path.Combine(run, "virtigo")
            : state.Length <= LongestRuntimeBase ? Path.Combine(state, "run")
            : Path.Combine(Path.GetTempPath(), $"virtigo-{Environment.UserName}");

        if (variable("VIRTIGO_HOME") is { Length: > 0 } all)
        {
            all = Path.GetFullPath(all);
            return new HostPaths(Path.Combine(all, "cache"), Path.Combine(all, "data"), Path.Combine(all, "state"),
                Path.Combine(all, "config"), Runtime(Path.Combine(all, "state")));
        }

        string home = Absolute("HOME") ?? Environment.GetFolderPath(Environment.SpecialFolder.UserProfile);
        string Xdg(string name, string fallback) => Path.Combine(Absolute(name) ?? Path.Combine(home, fallback), "virtigo");
        return new HostPaths(Xdg("XDG_CACHE_HOME", ".cache"), Xdg("XDG_DATA_HOME", ".local/share"),
            Xdg("XDG_STATE_HOME", ".local/state"), Xdg("XDG_CONFIG_HOME", ".config"), Runtime(Xdg("XDG_STATE_HOME", ".local/state")));
    }
}
