using System.Globalization;

namespace Virtigo.Appliances;

/// <summary>Binds a YAML file to the table of keys, and the values to a spec.</summary>
internal static class SpecReader
{
    private const string SchemaHint = "Every key with its values and defaults: virtigo schema --markdown";

    public static ApplianceSpec ForDistribution(string distribution, string? name)
    {
        SpecKey key = SpecKeys.All.Single(candidate => candidate.Path == "distro");
        var problems = new SpecProblems("the command line");
        var caller = new Origin(OriginKind.Caller, "given as the argument");
        if (key.Type.Read(new YamlText(distribution, false, 1, 1), key, problems) is not string)
        {
            throw new VirtigoException(FailureKind.Usage,
                $"There is no file {SpecProblems.Quote(distribution)}, and it is no distribution Virtigo can install"
                + (SpecProblems.Suggest(distribution, ["debian", "ubuntu"]) is { Length: > 0 } meant ? meant : " (debian, ubuntu)."),
                "Give the path of a spec file, or `debian` for an appliance with nothing special.");
        }

        return new ApplianceSpec(CheckedName(name) ?? new Setting<string>(distribution, new Origin(OriginKind.Derived, "the distribution's name")))
        {
            Distribution = new Setting<string>(distribution, caller),
        };
    }

    public static async Task<IReadOnlyList<ApplianceSpec>> LoadAsync(string path, SpecOptions options, CancellationToken cancellationToken)
    {
        IReadOnlyList<ApplianceSpec> specs = Parse(await YamlTree.ReadFileAsync(path, ApplianceSpec.MaxFileBytes, cancellationToken), path, options);
        foreach (ApplianceSpec spec in specs)
        {
            string beside = ApplianceLock.PathFor(path, spec);
            if (options.Locked && File.Exists(beside))
            {
                spec.UseLock(new(await ApplianceLock.LoadAsync(beside, cancellationToken), new Origin(OriginKind.Spec, beside)));
            }
        }

        return specs;
    }

    public static IReadOnlyList<ApplianceSpec> Parse(string yaml, string file, SpecOptions options)
    {
        Setting<string> named = CheckedName(options.Name) ?? NameOfFile(file);
        var problems = new SpecProblems(file);
        YamlMap written = Root(yaml, SpecKeys.All, "a spec", problems) ?? new YamlMap([], 1, 1);
        problems.ThrowIfAny(SchemaHint);
        IReadOnlyList<SpecVariant> variants = SpecMatrix.Variants(written, options.Set, problems);
        problems.ThrowIfAny(SchemaHint);
        return [.. variants.Select(variant => Parse(yaml, variant, named, problems))];
    }

    private static ApplianceSpec Parse(string yaml, SpecVariant variant, Setting<string> named, SpecProblems problems)
    {
        SpecFolder folder = SpecFolder.Of(problems.File);
        ComposedSpec composed = new SpecComposer(folder, problems).Compose(variant.Map, problems.File, variant.Variables);
        Setting<string> name = variant.Suffix.Length == 0 ? named
            : CheckedName($"{named.Value}-{variant.Suffix}")! with { Origin = new Origin(OriginKind.Derived, $"{named.Origin}, and the values of its matrix") };
        ApplianceSpec spec = Make(composed, SpecKeys.All, "a spec", _ => name, problems, yaml);
        problems.ThrowIfAny(SchemaHint);
        return spec.Reading(folder.Taken, inMatrix: variant.Suffix.Length > 0);
    }

    private static ApplianceSpec Make(
        ComposedSpec composed, IReadOnlyList<SpecKey> keys, string what, Func<SettingValues, Setting<string>> name, SpecProblems problems, string yaml)
    {
        var values = new SettingValues(problems.File, OriginKind.Spec);
        BindMap(composed.Map, keys, what, values, problems);
        CheckAccounts(values, problems);
        ApplianceSpec spec = Make(name(values), values, values.Redact(yaml, keys));
        spec.Variables = composed.Variables;
        if (composed.From is { } from)
        {
            spec.From = new(Make(from, SpecKeys.All, "a spec", _ => NameOfFile(from.File), problems, ""), values.OriginAt(composed.FromPlace!));
        }

        return spec;
    }

    /// <summary>Reads a spec that is written inside another file.</summary>
    /// <param name="map">The spec.</param>
    /// <param name="keys">The keys it may have, of <see cref="SpecKeys.All"/>.</param>
    /// <param name="name">Makes the appliance's name of its packages.</param>
    /// <param name="problems">What is wrong is added here; the result is of use only if nothing was.</param>
    public static ApplianceSpec FromMap(YamlMap map, IReadOnlyList<SpecKey> keys, Func<IReadOnlyList<string>, Setting<string>> name, SpecProblems problems)
    {
        SpecFolder folder = SpecFolder.Of(problems.File);
        ComposedSpec composed = new SpecComposer(folder, problems).Compose(map, problems.File, new Dictionary<string, string>());
        return Make(composed, keys, "a machine", values => name(values.Texts("packages")), problems, "").Reading(folder.Taken, inMatrix: false);
    }

    private static ApplianceSpec Make(Setting<string> named, SettingValues values, string redactedText) =>
        new(named)
        {
            Distribution = values.Get<string>("distro"),
            Release = values.Get<string>("release"),
            Architecture = values.Get<string>("arch"),
            Mirrors = Mirrors(values),
            SecurityMirror = SecurityMirror(values),
            Hostname = values.Get<string>("hostname"),
            Packages = values.Get<IReadOnlyList<string>>("packages"),
            DiskBytes = values.Get<long>("disk.size"),
            MemoryMiB = MemoryMiB(values),
            Cpus = values.Get<int>("cpus"),
            Hypervisor = values.Get<string>("hypervisor"),
            Locale = values.Get<string>("locale"),
            TimeZone = values.Get<string>("timezone"),
            Keyboard = values.Get<string>("keyboard"),
            User = UserOf(values),
            Medium = values.Get<string>("medium"),
            Autoinstall = values.Get<AutoinstallWish>("autoinstall"),
            Root = RootOf(values),
            RedactedText = redactedText,
            Values = values,
        };

    /// <summary>Reads the text against a table of keys; what is wrong is added to the problems.</summary>
    public static SettingValues Bind(string yaml, IReadOnlyList<SpecKey> keys, OriginKind kind, string what, SpecProblems problems)
    {
        var values = new SettingValues(problems.File, kind);
        if (Root(yaml, keys, what, problems) is { } map)
        {
            BindMap(map, keys, what, values, problems);
        }

        return values;
    }

    private static YamlMap? Root(string yaml, IReadOnlyList<SpecKey> keys, string what, SpecProblems problems)
    {
        switch (YamlTree.Read(yaml, problems))
        {
            case null or YamlText { IsNull: true }:
                return null;
            case YamlMap map:
                return map;
            case { } other:
                problems.Add(other, $"expected keys of {what}, one a line, as in: {keys[0].Example}");
                return null;
        }
    }

    public static Setting<IReadOnlyList<Uri>>? Mirrors(SettingValues values) =>
        values.Get<IReadOnlyList<string>>("mirror") is { Value.Count: > 0 } written
            ? new([.. written.Value.Select(MirrorUri).Distinct()], written.Origin)
            : null;

    public static Setting<Uri>? SecurityMirror(SettingValues values) =>
        values.Get<string>("security-mirror") is { } written ? new(MirrorUri(written.Value), written.Origin) : null;

    public static Setting<int>? MemoryMiB(SettingValues values) =>
        values.Get<long>("memory") is { } bytes ? new((int)(bytes.Value / SpecKeys.MiB), bytes.Origin) : null;

    /// <summary>The base of an archive as a URI that ends in a slash, so that paths can be joined to it.</summary>
    public static Uri MirrorUri(string text) => new(text.EndsWith('/') ? text : text + "/");

    /// <summary>Reads a mapping against a table of keys; what is wrong is added to the problems.</summary>
    public static void BindMap(YamlMap map, IReadOnlyList<SpecKey> keys, string what, SettingValues values, SpecProblems problems)
    {
        foreach ((YamlText name, YamlItem value) in map.Entries)
        {
            SpecKey? key = keys.FirstOrDefault(candidate => candidate.Key == name.Value);
            if (key is null)
            {
                IEnumerable<string> names = keys.Select(candidate => candidate.Key);
                string near = SpecProblems.Suggest(name.Value, names);
                problems.Add(name, $"{SpecProblems.Quote(name.Value)} is no key of {what}"
                    + (near.Length > 0 ? near : $"; expected one of {string.Join(", ", names)}"));
            }
            else if (key.Secret && value is YamlText { FromVariable: true })
            {
                problems.Add(value, $"{key.Path}: a variable's value would be shown; write the secret itself, or where it is: env:NAME, file:PATH or prompt:");
            }
            else if (value is not YamlText { IsNull: true } && key.Type.Read(value, key, problems) is { } read)
            {
                values.Set(key.Path, read, value);
                if (key.Type is GroupType group)
                {
                    BindMap((YamlMap)read, group.Keys, key.Path, values, problems);
                }
            }
        }
    }

    private static void CheckAccounts(SettingValues values, SpecProblems problems)
    {
        foreach (string account in (string[])["user", "root"])
        {
            if (values.Place(account + ".password") is not null && values.Place(account + ".password-hash") is { } hash)
            {
                problems.Add(hash, $"{account}: both password and password-hash are given; keep one");
            }
        }

        if (values.Place("user") is { } user && values.Place("user.name") is null && !problems.Any)
        {
            problems.Add(user, "user: the name is missing, as in: user: {name: alice}");
        }

        bool password = values.Place("root.password") is not null || values.Place("root.password-hash") is not null;
        if (values.Get<bool>("root.locked") is { } locked && locked.Value == password)
        {
            problems.Add(values.Place("root.locked")!, password
                ? "root: locked, yet a password is given; keep one of the two"
                : "root: not locked, yet there is no password; give password or password-hash");
        }
    }

    private static Setting<UserWish>? UserOf(SettingValues values) =>
        values.Get<string>("user.name") is { } name
            ? new(new UserWish(name.Value, values.Secret("user.password"), values.Secret("user.password-hash"),
                values.Get<IReadOnlyList<string>>("user.ssh-keys")?.Value), values.OriginOf("user")!)
            : null;

    private static Setting<RootWish>? RootOf(SettingValues values) =>
        values.OriginOf("root") is { } origin
            ? new(new RootWish(values.Secret("root.password"), values.Secret("root.password-hash")), origin)
            : null;

    private static Setting<string>? CheckedName(string? name)
    {
        if (name is null)
        {
            return null;
        }

        return ValueChecks.HostLabel(name) is { } problem
            ? throw new VirtigoException(FailureKind.Usage, $"The name {SpecProblems.Quote(name)} {problem}.", "Give another with --name.")
            : new Setting<string>(name, new Origin(OriginKind.Caller, "given as --name"));
    }

    private static Setting<string> NameOfFile(string file)
    {
        string stem = Path.GetFileNameWithoutExtension(file);
        string label = new([.. stem.ToLowerInvariant().Select(character => character is '_' or '.' or ' ' ? '-' : character)]);
        label = label.Trim('-');
        return ValueChecks.HostLabel(label) is null
            ? new Setting<string>(label, new Origin(OriginKind.Derived, string.Create(CultureInfo.InvariantCulture, $"the name of {Path.GetFileName(file)}")))
            : throw new VirtigoException(FailureKind.Usage,
                $"The file name {SpecProblems.Quote(stem)} cannot be made a host name: expected letters, digits and hyphens.",
                "Rename the file, or give a name with --name.");
    }
}
