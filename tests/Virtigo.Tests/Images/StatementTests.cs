using System.Text.Json;
using System.Text.RegularExpressions;
using CsCheck;
using Virtigo.Images;
using Virtigo.Tests.Installers;
using Xunit;

namespace Virtigo.Tests.Images;

/// <summary>The rules here are those of the published schemas: what must be there, what may be there, and what values may look like.</summary>
public sealed partial class StatementTests
{
    private static readonly string[] s_purposes =
        ["APPLICATION", "FRAMEWORK", "LIBRARY", "CONTAINER", "OPERATING-SYSTEM", "DEVICE", "FIRMWARE", "SOURCE", "ARCHIVE", "FILE", "INSTALL", "OTHER"];

    private static readonly string[] s_relations = ["DESCRIBES", "CONTAINS", "BUILD_TOOL_OF", "BUILD_DEPENDENCY_OF"];

    private static readonly string[] s_components =
        ["application", "framework", "library", "container", "platform", "operating-system", "device", "device-driver", "firmware", "file", "machine-learning-model", "data"];

    private static ImageManifest Manifest => TestStore.Manifest(TestStore.KeyOf("a")) with
    {
        Plan =
        [
            new ImagePlanValue("name", "web", "web.yml"), new ImagePlanValue("distro", "debian", "default"),
            new ImagePlanValue("release", "trixie", "archive"), new ImagePlanValue("arch", "amd64", "default"),
            new ImagePlanValue("root", "(redacted)", "web.yml:2"),
        ],
        Packages =
        [
            new ImagePackage("nginx", "1.26.3-3", "amd64"), new ImagePackage("libstdc++6", "14.2.0-19", "amd64"),
            new ImagePackage("base-files", "13.8+deb13u1", "amd64"), new ImagePackage("dmsetup", "2:1.02.205-2~x", "amd64"),
        ],
        Materials =
        [
            new ImageMaterial("http://mirror.example/debian/pool/main/n/nginx/nginx_1.26.3-3_amd64.deb", TestStore.KeyOf("n"), 1234, "packages:trixie"),
            new ImageMaterial("http://mirror.example/debian/pool/main/l/lvm2/dmsetup_1.02.205-2%7ex_amd64.deb", TestStore.KeyOf("d"), 99, "packages:trixie"),
            new ImageMaterial("http://mirror.example/debian/dists/trixie/InRelease", TestStore.KeyOf("release"), 140420, "signature"),
        ],
    };

    /// <summary>Manifests with names and versions that nobody expects.</summary>
    private static Gen<ImageManifest> Manifests
    {
        get
        {
            Gen<string> word = Golden.Pieces("a", "g++", "lib.a", "x-1", "1:2+b~c", "\u00fc", " ", "\"<&", "%2B", "/", "");
            return Gen.Select(word, word, word).Array[0, 6].Select(Gen.Select(word, word).Array[0, 4]).Select((packages, materials) => Manifest with
            {
                Name = "n" + string.Concat(packages.Select(one => one.Item1)),
                Packages = [.. packages.Select(one => new ImagePackage("p" + one.Item1, "1" + one.Item2, "a" + one.Item3))],
                Materials = [.. materials.Select(one => new ImageMaterial("http://mirror.example/" + one.Item1, TestStore.KeyOf(one.Item2), 1, one.Item2))],
                Installer = new ImageInstaller("1", "s", "6", [.. materials.Select(one => new ImageComponent("c" + one.Item1, "1" + one.Item2, TestStore.KeyOf(one.Item1), one.Item2))]),
            });
        }
    }

    [Theory]
    [InlineData(StatementFormat.Spdx, "web.spdx.json")]
    [InlineData(StatementFormat.CycloneDx, "web.cdx.json")]
    [InlineData(StatementFormat.Provenance, "web.intoto.json")]
    public void A_statement_is_what_it_was(StatementFormat format, string golden) => Golden.Same(golden, ImageStatements.Write(Manifest, format), "Images");

    [Theory]
    [InlineData(StatementFormat.Spdx)]
    [InlineData(StatementFormat.CycloneDx)]
    [InlineData(StatementFormat.Provenance)]
    public void A_statement_of_any_manifest_keeps_the_rules_of_its_specification_and_is_always_the_same(StatementFormat format)
    {
        Action<JsonElement> check = format switch { StatementFormat.Spdx => CheckSpdx, StatementFormat.CycloneDx => CheckCycloneDx, _ => CheckProvenance };
        Manifests.Sample(
            manifest =>
            {
                string text = ImageStatements.Write(manifest, format);
                using var told = JsonDocument.Parse(text);
                check(told.RootElement);
                ImageManifest shuffled = manifest with
                {
                    Packages = [.. manifest.Packages.Reverse()],
                    Materials = [.. manifest.Materials.Reverse()],
                    Installer = manifest.Installer with { Components = [.. manifest.Installer.Components.Reverse()] },
                };
                Assert.Equal(text, ImageStatements.Write(shuffled, format));
            },
            time: 1, threads: 1);
    }

    [Theory]
    [InlineData("libstdc++6", "14.2.0-19", "pkg:deb/debian/libstdc%2B%2B6@14.2.0-19?arch=amd64&distro=trixie")]
    [InlineData("dmsetup", "2:1.0~rc1+b2", "pkg:deb/debian/dmsetup@2:1.0~rc1%2Bb2?arch=amd64&distro=trixie")]
    public void A_package_url_is_what_the_specification_says(string name, string version, string expected) =>
        Assert.Equal(expected, PackageUrl.Of(name, version, "amd64", "debian", "trixie"));

    [Fact]
    public void A_package_is_found_in_the_file_that_it_came_in()
    {
        var bill = new BillOfMaterials(Manifest);
        Assert.Equal([null, TestStore.KeyOf("d"), null, TestStore.KeyOf("n")], bill.Packages.Select(package => package.File?.Sha256));
        Assert.Equal("http://mirror.example/debian/dists/trixie/InRelease", Assert.Single(bill.Files).Url);
    }

    [Fact]
    public void Identifiers_of_different_text_are_different() =>
        Gen.Select(Golden.Pieces("g++", "g--", "g.2B", "a", ".", "+", "").Array[0, 4], Golden.Pieces("g++", "g--", "g.2B", "a", ".", "+", "").Array[0, 4])
            .Select((a, b) => (string.Concat(a), string.Concat(b)))
            .Sample(pair => (pair.Item1 == pair.Item2) == (BillOfMaterials.Identifier(pair.Item1) == BillOfMaterials.Identifier(pair.Item2)), iter: 1000);

    private static void CheckSpdx(JsonElement document)
    {
        Only(document, ["spdxVersion", "dataLicense", "SPDXID", "name", "documentNamespace", "creationInfo", "packages", "relationships"], 8);
        Assert.Equal("SPDX-2.3", Text(document, "spdxVersion"));
        Assert.Equal("CC0-1.0", Text(document, "dataLicense"));
        Assert.Equal("SPDXRef-DOCUMENT", Text(document, "SPDXID"));
        Assert.NotEmpty(Text(document, "name"));
        Assert.True(Uri.TryCreate(Text(document, "documentNamespace"), UriKind.Absolute, out Uri? space) && space.Fragment.Length == 0);
        JsonElement creation = document.GetProperty("creationInfo");
        Assert.Matches(@"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$", Text(creation, "created"));
        Assert.All(creation.GetProperty("creators").EnumerateArray(), creator => Assert.Matches("^(Tool|Person|Organization): .+", creator.GetString()));
        var ids = new HashSet<string> { "SPDXRef-DOCUMENT" };
        foreach (JsonElement package in document.GetProperty("packages").EnumerateArray())
        {
            Only(package, ["SPDXID", "name", "downloadLocation", "filesAnalyzed", "licenseConcluded", "licenseDeclared", "copyrightText",
                "versionInfo", "primaryPackagePurpose", "checksums", "externalRefs", "comment"], 7);
            Assert.Matches("^SPDXRef-[a-zA-Z0-9.-]+$", Text(package, "SPDXID"));
            Assert.True(ids.Add(Text(package, "SPDXID")));
            Assert.NotEmpty(Text(package, "name"));
            Assert.NotEmpty(Text(package, "downloadLocation"));
            Assert.False(package.GetProperty("filesAnalyzed").GetBoolean());
            if (package.TryGetProperty("primaryPackagePurpose", out JsonElement purpose))
            {
                Assert.Contains(purpose.GetString(), s_purposes);
            }

            foreach (JsonElement sum in Optional(package, "checksums"))
            {
                Assert.Equal("SHA256", Text(sum, "algorithm"));
                Assert.Matches("^[0-9a-f]{64}$", Text(sum, "checksumValue"));
            }

            foreach (JsonElement reference in Optional(package, "externalRefs"))
            {
                Assert.Equal("PACKAGE-MANAGER", Text(reference, "referenceCategory"));
                Assert.Equal("purl", Text(reference, "referenceType"));
                Assert.Matches(Purl(), Text(reference, "referenceLocator"));
            }
        }

        Assert.All(document.GetProperty("relationships").EnumerateArray(), relation =>
        {
            Only(relation, ["spdxElementId", "relationshipType", "relatedSpdxElement"], 3);
            Assert.Contains(Text(relation, "spdxElementId"), ids);
            Assert.Contains(Text(relation, "relatedSpdxElement"), ids);
            Assert.Contains(Text(relation, "relationshipType"), s_relations);
        });
        Assert.Equal(ids.Count - 1, document.GetProperty("relationships").GetArrayLength());
    }

    private static void CheckCycloneDx(JsonElement document)
    {
        Only(document, ["bomFormat", "specVersion", "version", "serialNumber", "$schema", "metadata", "components", "dependencies"], 8);
        Assert.Equal("CycloneDX", Text(document, "bomFormat"));
        Assert.Equal("1.5", Text(document, "specVersion"));
        Assert.Matches("^urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$", Text(document, "serialNumber"));
        JsonElement metadata = document.GetProperty("metadata");
        Assert.True(metadata.GetProperty("timestamp").TryGetDateTimeOffset(out _));
        var references = new HashSet<string>();
        foreach (JsonElement component in document.GetProperty("components").EnumerateArray().Append(metadata.GetProperty("component")))
        {
            Only(component, ["type", "bom-ref", "name", "version", "scope", "hashes", "purl", "externalReferences", "properties"], 3);
            Assert.Contains(Text(component, "type"), s_components);
            Assert.True(references.Add(Text(component, "bom-ref")));
            if (component.TryGetProperty("scope", out JsonElement scope))
            {
                Assert.Contains(scope.GetString(), (string[])["required", "optional", "excluded"]);
            }

            foreach (JsonElement hash in Optional(component, "hashes"))
            {
                Assert.Equal("SHA-256", Text(hash, "alg"));
                Assert.Matches("^([a-fA-F0-9]{32}|[a-fA-F0-9]{40}|[a-fA-F0-9]{64}|[a-fA-F0-9]{96}|[a-fA-F0-9]{128})$", Text(hash, "content"));
            }

            if (component.TryGetProperty("purl", out JsonElement purl))
            {
                Assert.Matches(Purl(), purl.GetString());
            }

            foreach (JsonElement reference in Optional(component, "externalReferences"))
            {
                Assert.Equal("distribution", Text(reference, "type"));
                Assert.NotEmpty(Text(reference, "url"));
            }
        }

        foreach (JsonElement dependency in document.GetProperty("dependencies").EnumerateArray())
        {
            Assert.Contains(Text(dependency, "ref"), references);
            string[] on = [.. dependency.GetProperty("dependsOn").EnumerateArray().Select(one => one.GetString()!)];
            Assert.Equal(on.Distinct(), on);
            Assert.All(on, one => Assert.Contains(one, references));
        }
    }

    private static void CheckProvenance(JsonElement document)
    {
        Only(document, ["_type", "subject", "predicateType", "predicate"], 4);
        Assert.Equal("https://in-toto.io/Statement/v1", Text(document, "_type"));
        Assert.Equal("https://slsa.dev/provenance/v1", Text(document, "predicateType"));
        JsonElement subject = Assert.Single(document.GetProperty("subject").EnumerateArray());
        Assert.NotEmpty(Text(subject, "name"));
        Assert.Matches("^[0-9a-f]{64}$", Text(subject.GetProperty("digest"), "sha256"));
        JsonElement predicate = document.GetProperty("predicate");
        Only(predicate, ["buildDefinition", "runDetails"], 2);
        JsonElement definition = predicate.GetProperty("buildDefinition");
        Only(definition, ["buildType", "externalParameters", "internalParameters", "resolvedDependencies"], 2);
        Assert.True(Uri.IsWellFormedUriString(Text(definition, "buildType"), UriKind.Absolute));
        Assert.Equal("debian", Text(definition.GetProperty("externalParameters").GetProperty("plan"), "distro"));
        Assert.All(definition.GetProperty("resolvedDependencies").EnumerateArray(), one =>
        {
            Only(one, ["uri", "digest", "name", "downloadLocation", "mediaType", "content", "annotations"], 2);
            Assert.NotEmpty(Text(one, "uri"));
            Assert.Matches("^[0-9a-f]{64}$", Text(one.GetProperty("digest"), "sha256"));
        });
        JsonElement details = predicate.GetProperty("runDetails");
        Assert.True(Uri.IsWellFormedUriString(Text(details.GetProperty("builder"), "id"), UriKind.Absolute));
        Assert.True(details.GetProperty("metadata").GetProperty("finishedOn").TryGetDateTimeOffset(out _));
        Assert.NotEmpty(Text(details.GetProperty("metadata"), "invocationId"));
    }

    /// <summary>The object has the first so many of these members, and none but these, each once.</summary>
    private static void Only(JsonElement element, string[] known, int required)
    {
        string[] names = [.. element.EnumerateObject().Select(member => member.Name)];
        Assert.Equal(names.Distinct(), names);
        Assert.Empty(names.Except(known));
        Assert.Empty(known.Take(required).Except(names));
    }

    private static string Text(JsonElement element, string name) => element.GetProperty(name).GetString()!;

    private static JsonElement.ArrayEnumerator Optional(JsonElement element, string name) =>
        element.TryGetProperty(name, out JsonElement array) ? array.EnumerateArray() : default;

    [GeneratedRegex(@"^pkg:deb/[a-z0-9]+/(?:[A-Za-z0-9._~:-]|%[0-9A-F]{2})+@(?:[A-Za-z0-9._~:-]|%[0-9A-F]{2})+\?arch=(?:[A-Za-z0-9._~:-]|%[0-9A-F]{2})+&distro=[a-z]+$")]
    private static partial Regex Purl();
}
