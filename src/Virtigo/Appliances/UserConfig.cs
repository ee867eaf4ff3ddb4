using Virtigo.Host;

namespace Virtigo.Appliances;

/// <summary>The user's configuration: values for all appliances whose specs do not say otherwise.</summary>
internal sealed class UserConfig
{
    private readonly SettingValues _values;

    private UserConfig(SettingValues values) => _values = values;

    public Setting<IReadOnlyList<Uri>>? Mirrors => SpecReader.Mirrors(_values);

    public Setting<Uri>? SecurityMirror => SpecReader.SecurityMirror(_values);

    public Setting<int>? MemoryMiB => SpecReader.MemoryMiB(_values);

    public Setting<T>? Get<T>(string key) => _values.Get<T>(key);

    /// <summary>Reads the file; an absent one says nothing.</summary>
    /// <exception cref="VirtigoException">Everything that is wrong with the file.</exception>
    public static async Task<UserConfig> LoadAsync(HostPaths paths, CancellationToken cancellationToken)
    {
        string file = paths.ConfigFile;
        var problems = new SpecProblems(file);
        string yaml = File.Exists(file) ? await YamlTree.ReadFileAsync(file, ApplianceSpec.MaxFileBytes, cancellationToken) : "";
        SettingValues values = SpecReader.Bind(yaml, SpecKeys.Config, OriginKind.UserConfig, "the configuration", problems);
        problems.ThrowIfAny("The keys marked ¹ by `virtigo schema --markdown` may stand in it.");
        return new UserConfig(values);
    }
}
