using System.Security.Cryptography;
using System.Text;

namespace Virtigo.Appliances;

/// <summary>Describes a machine by its files. What cannot be said in a spec becomes a comment, so that nothing is passed over silently.</summary>
internal sealed class SpecInference(IFileTree files, InferOptions options)
{
    private const int MostText = 256 * 1024;
    private const int MostSettings = 200;

    /// <summary>Settings that the installer or a key of the spec writes, or that are of one machine alone.</summary>
    private static readonly string[] s_notCopied =
        ["/etc/network/", "/etc/hosts", "/etc/apt/", "/etc/default/keyboard", "/etc/default/locale", "/etc/default/grub", "/etc/sudoers.d/", "/etc/pam.d/common-", "/etc/environment", "/etc/dhcpcd.conf"];

    private readonly SpecText _text = new();
    private readonly List<InferredFile> _files = [];
    private readonly List<string> _notes = [];
    private readonly List<string> _copied = [];

    private string Folder => Path.GetFileNameWithoutExtension(options.FileName) + "-files";

    /// <summary>Makes the spec, and reads it once more as anybody's.</summary>
    public InferredSpec Infer()
    {
        Dictionary<string, string> system = Assignments(Text("/etc/os-release") ?? Text("/usr/lib/os-release") ?? "");
        if (system.GetValueOrDefault("ID") != "debian")
        {
            throw new VirtigoException(FailureKind.Usage, $"The machine runs no Debian: its os-release says {SpecProblems.Quote(system.GetValueOrDefault("ID") ?? "nothing")}.",
                "Only Debian machines can be described.");
        }

        var packages = PackageFacts.Read(files);
        string? hostname = Checked(Line("/etc/hostname")?.Split('.')[0], ValueChecks.HostLabel, "hostname");
        _text.Comment("Inferred by virtigo infer from an existing machine. What is left out is as Virtigo decides it: virtigo explain " + options.FileName);
        _text.Key("release", Checked(system.GetValueOrDefault("VERSION_CODENAME"), ValueChecks.Release, "release"));
        _text.Key("hostname", hostname);
        List<InferredAccount> accounts = [.. new InferredAccounts(files, options.PasswordHashes, _notes).Read()];
        bool hasKeys = accounts.Any(account => account.SshKeys.Count > 0), hasSudo = accounts.Any(account => account.Sudo is not null);
        _text.List("packages", [.. packages.Wanted().Where(name => !(hasKeys && name == "openssh-server") && !(hasSudo && name == "sudo") && name != "ifupdown"), .. packages.Removed.Select(name => "-" + name)]);
        Repositories();
        Disk();
        Key("locale", Assignments(Text("/etc/locale.conf") ?? Text("/etc/default/locale") ?? "").GetValueOrDefault("LANG"), ValueChecks.Locale, SpecKeys.DefaultLocale);
        Key("timezone", Zone(), ValueChecks.TimeZone, SpecKeys.DefaultTimeZone);
        Key("keyboard", Assignments(Text("/etc/default/keyboard") ?? "").GetValueOrDefault("XKBLAYOUT"), ValueChecks.Keyboard, SpecKeys.DefaultKeyboard);
        Accounts(accounts);
        foreach (string line in InferredNetwork.Read(files, _notes))
        {
            _text.Line(line);
        }

        Units();
        Settings(packages);
        foreach (string note in _notes)
        {
            _text.Comment(note);
        }

        string yaml = _text.ToString();
        ApplianceSpec.Parse(yaml, options.FileName, new SpecOptions { Name = hostname ?? "machine" });
        return new InferredSpec(yaml, _files);
    }

    /// <summary>The assignments of a file of a shell's.</summary>
    internal static Dictionary<string, string> Assignments(string text)
    {
        var found = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (string line in text.Split('\n'))
        {
            if (line.Trim().Split('=', 2) is [var name, var value] && !name.StartsWith('#'))
            {
                found[name] = value.Trim().Trim('"', '\'');
            }
        }

        return found;
    }

    private string? Text(string path) => files.Read(path, MostText) is { } bytes ? Encoding.UTF8.GetString(bytes) : null;

    private string? Line(string path) => Text(path)?.Split('\n').Select(line => line.Trim()).FirstOrDefault(line => line.Length > 0 && line[0] != '#');

    private string? Checked(string? value, Func<string, string?> check, string key)
    {
        if (value is null || check(value) is null)
        {
            return value;
        }

        _notes.Add($"{key}: {SpecProblems.Quote(value)} is the machine's, and cannot be said in a spec.");
        return null;
    }

    private void Key(string key, string? value, Func<string, string?> check, string usual)
    {
        if (value is { Length: > 0 } && value != usual)
        {
            _text.Key(key, Checked(value, check, key));
        }
    }

    private string? Zone()
    {
        const string Folder = "zoneinfo/";
        return files.Target("/etc/localtime") is { } target && target.IndexOf(Folder, StringComparison.Ordinal) is >= 0 and int at
            ? target[(at + Folder.Length)..]
            : Line("/etc/timezone");
    }

    private void Repositories()
    {
        var lines = new List<string>();
        foreach (string name in files.List("/etc/apt/sources.list.d"))
        {
            string path = $"/etc/apt/sources.list.d/{name}";
            if (!name.EndsWith(".sources", StringComparison.Ordinal) || Text(path) is not { } text)
            {
                _notes.Add($"repositories: {path} is not in the deb822 form, or cannot be read.");
                continue;
            }

            Dictionary<string, string> fields = new(StringComparer.OrdinalIgnoreCase);
            foreach (string line in text.Split('\n').Where(line => line.Contains(": ", StringComparison.Ordinal)))
            {
                fields[line.Split(':', 2)[0]] = line.Split(':', 2)[1].Trim();
            }

            string[] suites = Words(fields.GetValueOrDefault("Suites")), components = Words(fields.GetValueOrDefault("Components"));
            string url = fields.GetValueOrDefault("URIs") ?? "", signer = fields.GetValueOrDefault("Signed-By") ?? "";
            string label = name[..^".sources".Length];
            if (label is "debian" or "backports" || signer.StartsWith("/usr/share/keyrings/debian-archive", StringComparison.Ordinal))
            {
                continue;
            }

            if (ValueChecks.RepositoryUrl(url) is not null || suites.Length is 0 or > 10 || suites.Any(suite => ValueChecks.Suite(suite) is not null) || components.Length > 20
                || components.Any(component => ValueChecks.Component(component) is not null) || ValueChecks.RepositoryName(label) is not null
                || !signer.StartsWith('/') || files.Read(signer, MostText) is not { } key || lines.Count == SpecKeys.MaxRepositories)
            {
                _notes.Add($"repositories: {path} cannot be said in a spec: expected one URL, suites, and the file of the key that signs it.");
                continue;
            }

            string file = $"{Folder}/{label}.{(Encoding.Latin1.GetString(key).Contains("-----BEGIN", StringComparison.Ordinal) ? "asc" : "gpg")}";
            _files.Add(new InferredFile(file, key));
            lines.Add("  - " + SpecText.Map(("name", SpecText.Scalar(label)), ("url", SpecText.Scalar(url)), ("suites", SpecText.Flow(suites)),
                ("components", components.Length == 0 ? null : SpecText.Flow(components)), ("key", SpecText.Scalar(file))));
        }

        Items("repositories", lines);
    }

    private static string[] Words(string? text) => (text ?? "").Split([' ', '\t'], StringSplitOptions.RemoveEmptyEntries);

    private void Items(string key, List<string> lines)
    {
        if (lines.Count > 0)
        {
            _text.Line(key + ":");
            foreach (string line in lines)
            {
                _text.Line(line);
            }
        }
    }

    private void Disk()
    {
        (string Device, string Place, string Kind)[] table =
        [
            .. (Text("/etc/fstab") ?? "").Split('\n').Select(Words).Where(words => words.Length >= 3 && words[0][0] != '#').Select(words => (words[0], words[1], words[2])),
        ];
        string? root = table.FirstOrDefault(one => one.Place == "/").Kind;
        bool volumes = table.Any(one => one.Place == "/" && one.Device.StartsWith("/dev/mapper/", StringComparison.Ordinal));
        long? size = options.DiskBytes is { } bytes && bytes != SpecKeys.DefaultDiskBytes ? Math.Clamp((bytes + SpecKeys.MiB - 1) / SpecKeys.MiB, 2048, 16L << 20) : null;
        string? kind = root is "xfs" or "btrfs" ? root : null;
        if (size is not null || volumes || kind is not null)
        {
            _text.Line("disk: " + SpecText.Map(("size", size is { } mib ? SpecText.Number(mib) + "MiB" : null), ("layout", volumes ? "lvm" : null), ("filesystem", kind)));
        }

        if (table.Any(one => one.Place == "/boot/efi"))
        {
            _text.Key("firmware", "uefi");
        }

        foreach ((string device, string place, string what) in table.Where(one => one.Place is not ("/" or "/boot" or "/boot/efi") && one.Kind is not ("proc" or "tmpfs" or "iso9660" or "udf,iso9660")))
        {
            _notes.Add($"disk: {(what == "swap" ? "swap space" : $"{place} ({what})")} on {device}: its size is not known here; see disk.{(what == "swap" ? "swap" : "mounts")}.");
        }
    }

    private void Accounts(List<InferredAccount> accounts)
    {
        Items("groups", [.. InferredAccounts.Groups(files, accounts).Select(group => "  - " + SpecText.Map(("name", SpecText.Scalar(group.Name)), ("gid", SpecText.Number(group.Gid))))]);
        InferredAccount? first = accounts.Find(account => account.IsFirst);
        if (first is not null)
        {
            _text.Line("user: " + SpecText.Map(("name", SpecText.Scalar(first.Name)), ("password-hash", first.PasswordHash is { } own ? SpecText.Scalar(own) : null),
                ("ssh-keys", first.SshKeys.Count > 0 ? SpecText.Flow(first.SshKeys) : null)));
        }

        Items("users", [.. accounts.Where(account => account != first).Select(account => "  - " + SpecText.Map(
            ("name", SpecText.Scalar(account.Name)),
            ("full-name", account.FullName.Length > 0 ? SpecText.Scalar(account.FullName) : null),
            ("uid", SpecText.Number(account.Uid)),
            ("shell", account.Shell == "/bin/bash" ? null : SpecText.Scalar(account.Shell)),
            ("groups", account.Groups.Count > 0 ? SpecText.Flow(account.Groups) : null),
            ("sudo", account.Sudo),
            ("password-hash", account.PasswordHash is { } hash ? SpecText.Scalar(hash) : null),
            ("ssh-keys", account.SshKeys.Count > 0 ? SpecText.Flow(account.SshKeys) : null)))]);
    }

    private void Units()
    {
        const string System = "/etc/systemd/system";
        const string Known = "/var/lib/systemd/deb-systemd-helper-enabled";
        string[] usual = ["getty@tty1.service", "remote-fs.target", "serial-getty@ttyS0.service", "virtigo-first-boot.service"];
        HashSet<string> packaged = [.. files.List(Known).Where(name => name.EndsWith(".dsh-also", StringComparison.Ordinal)).Select(name => name[..^".dsh-also".Length])];
        string[] top = [.. files.List(System)];
        string[] masked = [.. top.Where(name => files.Target($"{System}/{name}") == "/dev/null")];
        HashSet<string> linked = [.. top.Where(name => name.EndsWith(".wants", StringComparison.Ordinal)).SelectMany(folder => files.List($"{System}/{folder}"))];
        string[] enabled = [.. linked.Where(name => !packaged.Contains(name) && !usual.Contains(name) && files.Read($"{System}/{name}", MostText) is null)];
        string[] local = [.. top.Where(name => ValueChecks.Unit(name) is null && name.Contains('.', StringComparison.Ordinal) && !usual.Contains(name)
            && files.Target($"{System}/{name}") is null && files.Read($"{System}/{name}", MostText) is not null)];
        static IReadOnlyList<string> Good(IEnumerable<string> units) => [.. units.Where(unit => ValueChecks.Unit(unit) is null && !unit.StartsWith("systemd-", StringComparison.Ordinal)).Order(StringComparer.Ordinal).Take(100)];
        foreach (string unit in local.Take(MostSettings))
        {
            Copy($"{System}/{unit}");
        }

        (string Key, IReadOnlyList<string> Units)[] said = [("enable", Good([.. enabled, .. local.Where(linked.Contains)])), ("mask", Good(masked))];
        if (said.Any(one => one.Units.Count > 0))
        {
            _text.Line("units: " + SpecText.Map([.. said.Select(one => (one.Key, one.Units.Count > 0 ? SpecText.Flow(one.Units) : null))]));
        }
    }

    private void Settings(PackageFacts packages)
    {
        foreach (Conffile setting in packages.Conffiles.OrderBy(one => one.Path, StringComparer.Ordinal))
        {
            if (!s_notCopied.Any(prefix => setting.Path.StartsWith(prefix, StringComparison.Ordinal)) && ValueChecks.TargetPath(setting.Path) is null
                && files.Read(setting.Path, MostText) is { } content && Convert.ToHexStringLower(Md5(content)) != setting.Md5)
            {
                Copy(setting.Path);
            }
        }

        Items("files", _copied);
    }

    // dpkg's own sum of what it installed; nothing is trusted for it.
#pragma warning disable CA5351
    private static byte[] Md5(byte[] content) => MD5.HashData(content);
#pragma warning restore CA5351

    private void Copy(string path)
    {
        if (_copied.Count == MostSettings || files.Read(path, MostText) is not { } content || ValueChecks.TargetPath(path) is not null || ValueChecks.InnerPath(Folder + path) is not null)
        {
            _notes.Add($"files: {path} was changed, and is not copied.");
            return;
        }

        _files.Add(new InferredFile(Folder + path, content));
        int mode = (files.Mode(path) ?? 0x1A4) & 0x1FF;
        _copied.Add("  - " + SpecText.Map(("from", SpecText.Scalar(Folder + path)), ("to", SpecText.Scalar(path)),
            ("mode", mode is 0x1A4 or 0x1ED ? null : $"\"0{Convert.ToString(mode, 8).PadLeft(3, '0')}\"")));
    }
}
