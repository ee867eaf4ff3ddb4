using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Virtigo.Installers.Debian;
using Virtigo.Profiles;

namespace Virtigo.Appliances;

/// <summary>What is done in the installed system, as a plan has it.</summary>
/// <param name="Choices">What the installer is told.</param>
/// <param name="Explained">The same for people; no secret is shown.</param>
internal sealed record TargetPlan(TargetChoices Choices, IReadOnlyList<ExplainedSetting> Explained)
{
    /// <summary>Nothing.</summary>
    public static TargetPlan None { get; } = new(TargetChoices.None, []);

    /// <summary>The profile of the image; null for none.</summary>
    public ProfileImage? Profile { get; init; }
}

/// <summary>A package that something else in the spec needs.</summary>
/// <param name="Package">The package.</param>
/// <param name="Reason">What needs it.</param>
internal sealed record PackageNeed(string Package, string Reason);

/// <summary>Decides what is done in the installed system: reads the spec's files, fetches secrets, fills templates.</summary>
/// <param name="appliance">What was written.</param>
/// <param name="folder">The spec's folder.</param>
/// <param name="secrets">Where secrets come from.</param>
/// <param name="openHasher">Opens the hasher with the user's secret.</param>
internal sealed partial class TargetPlanner(ApplianceSpec appliance, SpecFolder folder, SecretSource secrets, Func<Task<PasswordHasher>> openHasher)
{
    private readonly SettingValues _spec = appliance.Values!;
    private readonly List<ExplainedSetting> _explained = [];

    /// <summary>Packages that the choices need, known after <see cref="PlanAsync"/>.</summary>
    public List<PackageNeed> Needs { get; } = [];

    /// <summary>Makes the plan.</summary>
    /// <param name="plan">The plan of everything else, whose values templates may name.</param>
    /// <param name="cancellationToken">Ends the planning.</param>
    /// <exception cref="VirtigoException">A file, key or secret cannot be had, or two things contradict each other.</exception>
    public async Task<TargetPlan> PlanAsync(AppliancePlan plan, CancellationToken cancellationToken)
    {
        ProfileImage? profile = Profile(plan);
        var choices = new TargetChoices
        {
            Profile = profile?.Script ?? "",
            Recommends = Recommends(),
            Debconf = await DebconfAsync(plan, cancellationToken),
            Repositories = Repositories(plan),
            Backports = Backports(plan),
            Pins = Pins(plan),
            AutomaticUpdates = AutomaticUpdates(),
            Groups = Groups(plan),
            Users = await UsersAsync(plan, cancellationToken),
            Files = Files(plan),
            EnabledUnits = Texts("units.enable"),
            DisabledUnits = Texts("units.disable"),
            MaskedUnits = Texts("units.mask"),
            Run = Commands("run"),
            FirstBoot = Commands("first-boot"),
            FirstBootBefore = plan.Below.Sum(below => below.Target.Choices.FirstBoot.Count),
            Network = plan.From is { } from ? from.Value.Target.Choices.Network : Network(),
        };
        return new TargetPlan(choices, _explained) { Profile = profile };
    }

    private static VirtigoException Wrong(string place, string problem, string hint) => new(FailureKind.Usage, $"{place}: {problem}.", hint);

    private void Explain(string key, string shown, YamlItem? place = null) =>
        _explained.Add(new ExplainedSetting(key, Printable(shown), _spec.OriginAt(place ?? _spec.Place(key)!)));

    private static string Printable(string text)
    {
        string one = text.Trim().ReplaceLineEndings("; ");
        return new string([.. one.Take(120).Select(character => char.IsControl(character) || char.IsSurrogate(character) ? '?' : character)])
            + (one.Length > 120 ? "…" : "");
    }

    private bool Recommends()
    {
        if (_spec.Get<bool>("recommends") is not { } written)
        {
            return false;
        }

        Explain("recommends", written.Value ? "true" : "false");
        return written.Value;
    }

    private bool AutomaticUpdates()
    {
        if (_spec.Text("updates") is not { } updates)
        {
            return false;
        }

        Explain("updates", updates);
        if (updates == "automatic")
        {
            Needs.Add(new PackageNeed("unattended-upgrades", "automatic updates"));
        }

        return updates == "automatic";
    }

    private async Task<IReadOnlyList<DebconfSelection>> DebconfAsync(AppliancePlan plan, CancellationToken cancellationToken)
    {
        var answers = new List<DebconfSelection>();
        foreach (DebconfWish wish in _spec.Get<IReadOnlyList<DebconfWish>>("debconf")?.Value ?? [])
        {
            SecretText value = wish.Value;
            string digest = value.Reveal();
            if (wish.Type == "password")
            {
                value = await secrets.ResolveAsync(value, _spec.At(wish.Written), $"Password for {wish.Question}", cancellationToken);
                digest = (await openHasher()).Digest(value, $"{plan.Name.Value}\0{wish.Package}\0{wish.Question}");
            }

            var answer = new DebconfSelection(wish.Package, wish.Question, wish.Type, value.Reveal(), digest);
            Explain("debconf", answer.ToString(), wish.Written);
            answers.Add(answer);
        }

        return [.. answers.OrderBy(answer => answer.Package, StringComparer.Ordinal).ThenBy(answer => answer.Question, StringComparer.Ordinal)];
    }

    private List<TargetRepository> Repositories(AppliancePlan plan)
    {
        var found = new List<TargetRepository>(plan.From?.Value.Target.Choices.Repositories ?? []);
        foreach (SettingValues written in _spec.Items("repositories"))
        {
            Uri url = SpecReader.MirrorUri(written.Text("repositories[].url")!);
            string name = written.Text("repositories[].name") ?? url.Host.Replace('.', '-').ToLowerInvariant();
            string place = written.At("repositories[].url");
            if (ValueChecks.RepositoryName(name) is not null)
            {
                throw Wrong(place, $"repositories: {SpecProblems.Quote(url.Host)} cannot name the files of the repository", "Give it a name, as in: name: vendor");
            }

            if (found.Any(other => other.Name == name) || name is "backports" or "virtigo" or "debian")
            {
                throw Wrong(place, $"repositories: another one is named {SpecProblems.Quote(name)} already", "Give each a name of its own, as in: name: vendor");
            }

            IReadOnlyList<string> suites = written.Texts("repositories[].suites");
            IReadOnlyList<string> components = written.Texts("repositories[].components");
            var repository = new TargetRepository(name, url, suites.Count == 0 ? [plan.Release.Value] : suites,
                components.Count == 0 ? ["main"] : components, Key(written));
            if (url.Scheme == "https")
            {
                Needs.Add(new PackageNeed("ca-certificates", $"the https of {url.Host}"));
            }

            Explain("repositories", $"{url} {string.Join(' ', repository.Suites)} ({string.Join(' ', repository.Components)}), signed by {Fingerprint(repository.Key)}",
                written.Whole);
            found.Add(repository);
        }

        return found;
    }

    private byte[] Key(SettingValues repository)
    {
        string written = repository.Text("repositories[].key")!;
        string place = repository.At("repositories[].key");
        if (ValueChecks.IsArmouredKey(written))
        {
            return Encoding.ASCII.GetBytes(written.Trim() + "\n");
        }

        byte[] key = folder.ReadFile(written, place, 256 * 1024);
        string text = Encoding.Latin1.GetString(key);
        if (text.Contains("PRIVATE KEY", StringComparison.Ordinal))
        {
            throw Wrong(place, $"{SpecProblems.Quote(written)} is a private key", "Give the public one: gpg --armor --export");
        }

        // A binary keyring begins with the packet of a public key, tag 6, in the old form or the new.
        return ValueChecks.IsArmouredKey(text) ? Encoding.Latin1.GetBytes(text.TrimStart())
            : key is [0x98 or 0x99 or 0x9a or 0xc6, ..] ? key
            : throw Wrong(place, $"{SpecProblems.Quote(written)} is no OpenPGP public key", "Give what gpg --export prints, armoured or not.");
    }

    private static string Fingerprint(ReadOnlyMemory<byte> key) =>
        "key file " + Convert.ToHexStringLower(SHA256.HashData(key.Span))[..16];

    private (Uri, string)? Backports(AppliancePlan plan)
    {
        if (_spec.Get<IReadOnlyList<string>>("backports") is not { } wanted)
        {
            return plan.From?.Value.Target.Choices.Backports;
        }

        string suite = plan.Release.Value + "-backports";
        Needs.AddRange(wanted.Value.Select(package => new PackageNeed(package, "backports")));
        Explain("backports", wanted.Value.Count == 0 ? suite : $"{string.Join(", ", wanted.Value)} from {suite}");
        return (plan.Mirror.Value, suite);
    }

    private List<TargetPin> Pins(AppliancePlan plan)
    {
        var pins = new List<TargetPin>(plan.From?.Value.Target.Choices.Pins ?? []);
        if (_spec.Texts("backports") is { Count: > 0 } backported)
        {
            // The priority of the release's own versions, so that the newer one is taken.
            pins.Add(new TargetPin([.. backported.Distinct().Order(StringComparer.Ordinal)], $"release n={plan.Release.Value}-backports", 500));
        }

        foreach (SettingValues written in _spec.Items("pins"))
        {
            string pin = written.Text("pins[].version") is { } version ? $"version {version}"
                : written.Text("pins[].origin") is { } origin ? $"origin {origin}"
                : written.Text("pins[].release") is { } release && !release.Contains('=') ? $"release n={release}"
                : $"release {written.Text("pins[].release")}";
            var one = new TargetPin(written.Texts("pins[].package"), pin, written.Get<int>("pins[].priority")!.Value);
            Explain("pins", string.Create(CultureInfo.InvariantCulture, $"{string.Join(' ', one.Packages)}: {one.Pin}, priority {one.Priority}"), written.Whole);
            pins.Add(one);
        }

        return pins;
    }

    private List<TargetGroup> Groups(AppliancePlan plan)
    {
        var groups = new List<TargetGroup>();
        foreach (SettingValues written in _spec.Items("groups"))
        {
            var group = new TargetGroup(written.Text("groups[].name")!, written.Get<int>("groups[].gid")?.Value, written.Get<bool>("groups[].system")?.Value ?? false);
            if (groups.Concat(plan.Below.SelectMany(below => below.Target.Choices.Groups)).Any(other => other.Name == group.Name || (group.Gid is not null && other.Gid == group.Gid)))
            {
                throw Wrong(written.At(), $"groups: {group.Name}, or its number, is there twice", "Keep one.");
            }

            Explain("groups", group.Gid is { } gid ? string.Create(CultureInfo.InvariantCulture, $"{group.Name} ({gid})") : group.Name, written.Whole);
            groups.Add(group);
        }

        return groups;
    }

    private async Task<IReadOnlyList<TargetUser>> UsersAsync(AppliancePlan plan, CancellationToken cancellationToken)
    {
        var users = new List<TargetUser>();
        foreach (SettingValues written in _spec.Items("users"))
        {
            string name = written.Text("users[].name")!;
            int? uid = written.Get<int>("users[].uid")?.Value;
            if (users.Concat(plan.Below.SelectMany(below => below.Target.Choices.Users)).Any(other => other.Name == name || (uid is not null && other.Uid == uid)) || plan.User.Value?.Name == name)
            {
                throw Wrong(written.At(), $"users: {name}, or its number, is there twice", "Keep one of them; the short user: counts as well.");
            }

            string? hash = await HashAsync(plan, written, name, cancellationToken);
            IReadOnlyList<string> keys = written.Texts("users[].ssh-keys") is { Count: > 0 } named
                ? await secrets.KeysAsync(named, written.At("users[].ssh-keys"), cancellationToken)
                : [];
            SudoRight sudo = written.Text("users[].sudo") switch
            {
                "true" => hash is null ? SudoRight.NoPassword : SudoRight.Password,
                "nopasswd" => SudoRight.NoPassword,
                _ => SudoRight.None,
            };
            var user = new TargetUser
            {
                Name = name,
                FullName = written.Text("users[].full-name") ?? "",
                Uid = uid,
                Shell = written.Text("users[].shell") ?? "/bin/bash",
                Groups = [.. written.Texts("users[].groups").Distinct()],
                Sudo = sudo,
                PasswordHash = hash,
                SshKeys = keys,
            };
            if (sudo != SudoRight.None)
            {
                Needs.Add(new PackageNeed("sudo", $"what {name} may do"));
            }

            if (keys.Count > 0)
            {
                Needs.Add(new PackageNeed("openssh-server", $"the ssh keys of {name}"));
            }

            Explain("users", Shown(user), written.Whole);
            users.Add(user);
        }

        return users;
    }

    private async Task<string?> HashAsync(AppliancePlan plan, SettingValues user, string name, CancellationToken cancellationToken)
    {
        if (user.Secret("users[].password") is not { } written)
        {
            return user.Secret("users[].password-hash")?.Reveal();
        }

        SecretText password = await secrets.ResolveAsync(written, user.At("users[].password"), $"Password for {name}", cancellationToken);
        return (await openHasher()).Hash(password, $"{plan.Name.Value}\0{name}");
    }

    private static string Shown(TargetUser user)
    {
        string sudo = user.Sudo switch { SudoRight.Password => ", sudo", SudoRight.NoPassword => ", sudo without password", _ => "" };
        string groups = user.Groups.Count > 0 ? $", in {string.Join(' ', user.Groups)}" : "";
        return new ApplianceUser(user.Name, user.PasswordHash, user.SshKeys).ToString()[..^1] + groups + sudo + ")";
    }

    private List<TargetEntry> Files(AppliancePlan plan)
    {
        var entries = new List<TargetEntry>();
        Dictionary<string, string> values = TemplateValues(plan);
        foreach (SettingValues written in _spec.Items("files"))
        {
            string to = written.Text("files[].to")!;
            string owner = written.Text("files[].owner") ?? "root";
            string group = written.Text("files[].group") ?? "root";
            UnixFileMode? mode = written.Text("files[].mode") is { } octal ? (UnixFileMode)Convert.ToInt32(octal, 8) : null;
            bool template = written.Get<bool>("files[].template")?.Value ?? false;
            string? from = written.Text("files[].from");
            IReadOnlyList<TargetEntry> read = from is null
                ? [new TargetEntry(to, TargetEntryKind.File, (UnixFileMode)0x1A4, Encoding.UTF8.GetBytes(written.Text("files[].content")!))]
                : folder.ReadTree(from, to, written.At("files[].from"));
            if (read is [{ Path: "/", Kind: TargetEntryKind.File }])
            {
                throw Wrong(written.At("files[].to"), $"files: {SpecProblems.Quote(from!)} is a file, which cannot be /", "Give its whole path.");
            }

            foreach (TargetEntry entry in read)
            {
                if (ValueChecks.TargetPath(entry.Path) is { } problem)
                {
                    throw Wrong(written.At("files[].to"), $"files: {SpecProblems.Quote(entry.Path)} {problem}", "Rename it, or pack it and unpack it in a run step.");
                }

                // A template's own file names what is wrong in it; a text in the spec is where the spec says.
                string place = from is null ? written.At("files[].content") + " (the text)" : from + entry.Path[to.TrimEnd('/').Length..];
                entries.Add(entry with
                {
                    Owner = owner,
                    Group = group,
                    Mode = entry.Kind == TargetEntryKind.Folder && mode is { } given ? WithSearch(given) : entry.Kind == TargetEntryKind.File ? mode ?? entry.Mode : entry.Mode,
                    Content = template && entry.Kind == TargetEntryKind.File ? TemplateText.Fill(entry.Content, values, place) : entry.Content,
                });
            }

            long bytes = read.Sum(entry => (long)entry.Content.Length);
            Explain("files", string.Create(CultureInfo.InvariantCulture,
                $"{to} (from {from ?? "the spec"}, {(read.Count == 1 ? "" : $"{read.Count} entries, ")}{bytes} bytes, {owner}:{group}{(mode is null ? "" : " " + written.Text("files[].mode"))}{(template ? ", template" : "")})"),
                written.Whole);
        }

        return entries;
    }

    /// <summary>Folders may be entered by whoever may read them.</summary>
    private static UnixFileMode WithSearch(UnixFileMode mode) => mode | (UnixFileMode)(((int)mode & 0x124) >> 2);

    private Dictionary<string, string> TemplateValues(AppliancePlan plan) => new(
        appliance.Variables.Select(variable => KeyValuePair.Create("var." + variable.Key, variable.Value)), StringComparer.Ordinal)
    {
        ["name"] = plan.Name.Value,
        ["distro"] = plan.Distribution.Value,
        ["release"] = plan.Release.Value,
        ["arch"] = plan.Architecture.Value,
        ["mirror"] = plan.Mirror.Value.AbsoluteUri,
        ["security-mirror"] = plan.SecurityMirror.Value.AbsoluteUri,
        ["hostname"] = plan.Hostname.Value,
        ["domain"] = plan.Domain.Value,
        ["fqdn"] = $"{plan.Hostname.Value}.{plan.Domain.Value}",
        ["locale"] = plan.Locale.Value,
        ["timezone"] = plan.TimeZone.Value,
        ["keyboard"] = plan.Keyboard.Value,
        ["user"] = plan.User.Value?.Name ?? "",
    };

    private TargetNetwork Network()
    {
        var network = NetworkPlanner.Read(_spec);
        if (network.DhcpEverywhere)
        {
            Explain("network.dhcp", "every card");
        }

        foreach ((TargetInterface card, SettingValues written) in network.Interfaces.Zip(_spec.Items("network.interfaces")))
        {
            Explain("network.interfaces", NetworkPlanner.Describe(card), written.Whole);
        }

        Texts("network.dns");
        Texts("network.search");
        if (network.Proxy is { } proxy)
        {
            Explain("network.proxy", proxy.AbsoluteUri);
        }

        if (network.HasCards)
        {
            Needs.Add(new PackageNeed("ifupdown", "the network cards"));
        }

        if (!network.IsNothing && _spec.Items("files").FirstOrDefault(file => NetworkPlanner.Places.Contains(file.Text("files[].to"))) is { } file)
        {
            throw Wrong(file.At("files[].to"), $"files: {file.Text("files[].to")} is written by network", "Keep one of the two.");
        }

        return network;
    }

    private IReadOnlyList<string> Texts(string key)
    {
        IReadOnlyList<string> texts = _spec.Texts(key);
        if (texts.Count > 0)
        {
            Explain(key, string.Join(", ", texts));
        }

        return texts;
    }

    private List<TargetCommand> Commands(string key)
    {
        IReadOnlyList<YamlItem> items = _spec.Place(key) is YamlList list ? list.Items : _spec.Place(key) is { } one ? [one] : [];
        var commands = new List<TargetCommand>();
        foreach ((string text, YamlItem item) in _spec.Texts(key).Zip(items))
        {
            Explain(key, text, item);
            commands.Add(new TargetCommand(text, _spec.At(item)));
        }

        return commands;
    }
}
